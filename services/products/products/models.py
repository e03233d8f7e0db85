"""The catalogue and its stock: a number that is always the sum of its movements."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Collate, Now, Upper
from uuid_utils.compat import uuid7

from servicekit.collations import BY_LANGUAGE
from servicekit.models.timestamped import Timestamped

CURRENCIES = ("EUR", "GBP", "USD", "CHF", "SEK", "PLN")
#: What staff can fill a stock up to. What orders give back is always taken, also beyond it: the
#: column holds far more than any number of deliveries and releases adds up to
#: (docs/adr/0068-every-release-fits.md).
MAX_STOCK = 1_000_000_000


class Category(models.Model):
    """A place in the tree of categories; services/categories.py keeps it free of cycles."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        db_table = "category"
        constraints = [
            models.CheckConstraint(condition=~Q(parent=F("id")), name="category_not_its_own_parent")
        ]

    def __str__(self) -> str:
        return self.slug


class Product(Timestamped):
    """Something to buy.

    `sku` is the shop's own number for it, `compare_at_price` what it cost before, for show only.
    `version` counts changes of the catalogue's fields, not of the stock.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=100, unique=True)
    sku = models.CharField(max_length=64, default="", blank=True, db_default="")
    name = models.CharField(max_length=200)
    description = models.TextField(default="", blank=True)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    compare_at_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    currency = models.CharField(max_length=3)
    stock = models.BigIntegerField(default=0)
    #: Staff are told when the stock falls to it; 0 never tells.
    low_stock_threshold = models.IntegerField(default=0, db_default=0)
    active = models.BooleanField(default=True)
    category = models.ForeignKey(
        Category, null=True, on_delete=models.PROTECT, related_name="products"
    )
    rating_average = models.DecimalField(max_digits=3, decimal_places=2, default=0, db_default=0)
    rating_count = models.IntegerField(default=0, db_default=0)
    version = models.IntegerField(default=1)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "product"
        constraints = [
            models.CheckConstraint(condition=Q(stock__gte=0), name="product_stock_not_negative"),
            models.CheckConstraint(condition=Q(price__gte=0), name="product_price_not_negative"),
            models.CheckConstraint(
                condition=Q(low_stock_threshold__gte=0), name="product_threshold_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(compare_at_price__isnull=True) | Q(compare_at_price__gt=F("price")),
                name="product_compare_at_price_above_price",
            ),
            # A deleted product's number is free again: a person has it on a label, not in a link.
            models.UniqueConstraint(
                fields=["sku"],
                name="product_sku_once",
                condition=~Q(sku="") & Q(deleted_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(currency__in=CURRENCIES), name="product_currency_known"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(active=False),
                name="product_deleted_is_inactive",
            ),
        ]
        # One index for each order that the list offers; the id makes each a total order, as keyset
        # pages need.
        indexes = [
            models.Index(
                fields=["-created_at", "-id"], name="product_by_newest", condition=Q(active=True)
            ),
            models.Index(
                fields=["-rating_average", "-id"],
                name="product_by_rating",
                condition=Q(active=True),
            ),
            models.Index(fields=["price", "id"], name="product_by_price", condition=Q(active=True)),
            models.Index(
                Collate("name", BY_LANGUAGE),
                "id",
                name="product_by_name_collated",
                condition=Q(active=True),
            ),
            models.Index(
                fields=["category", "-created_at", "-id"],
                name="product_by_category",
                condition=Q(active=True),
            ),
            # As icontains compares it: trigrams find a part of a name, if that has three letters or
            # digits in a row.
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="product_by_name_part"),
        ]

    def __str__(self) -> str:
        return self.slug


class Purchase(models.Model):
    """That a customer bought a product once at least: learnt from confirmed orders, kept for ever.

    Whoever bought it may review it.
    """

    customer_id = models.UUIDField()
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "purchase"
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "product"], name="purchase_once")
        ]

    def __str__(self) -> str:
        return f"{self.product_id} by {self.customer_id}"


class ProductSales(models.Model):
    """How many units of a product were sold on a day (UTC)."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    units = models.BigIntegerField()

    class Meta:
        db_table = "product_sales"
        constraints = [
            models.UniqueConstraint(fields=["day", "product"], name="product_sales_once"),
            models.CheckConstraint(condition=Q(units__gt=0), name="product_sales_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.product_id} on {self.day}"


class Review(Timestamped):
    """What a customer thinks of a product that they bought; staff may hide it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="reviews")
    customer_id = models.UUIDField()
    rating = models.SmallIntegerField()
    title = models.CharField(max_length=120, default="", blank=True)
    comment = models.TextField(default="", blank=True)
    hidden_at = models.DateTimeField(null=True)
    hidden_by = models.UUIDField(null=True)
    version = models.IntegerField(default=1)

    class Meta:
        db_table = "review"
        constraints = [
            models.UniqueConstraint(fields=["product", "customer_id"], name="review_once"),
            models.CheckConstraint(
                condition=Q(rating__gte=1, rating__lte=5), name="review_rating_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["product", "-id"], name="review_by_product", condition=Q(hidden_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rating} for {self.product_id}"


class StockAlert(models.Model):
    """A time in which a product's stock was low: from falling to its threshold to rising above."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="alerts")
    stock = models.BigIntegerField()
    threshold = models.IntegerField()
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "stock_alert"
        constraints = [
            models.UniqueConstraint(
                fields=["product"], name="stock_alert_open_once", condition=Q(closed_at=None)
            ),
            models.CheckConstraint(
                condition=Q(stock__lte=F("threshold")), name="stock_alert_is_low"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stock} of {self.product_id}"


class Reservation(models.Model):
    """The outcome of an order's request for stock: the order's id is the key, so there is at most
    one.
    """

    class Status(models.TextChoices):
        RESERVED = "reserved"
        REJECTED = "rejected"
        RELEASED = "released"
        # Cancelled or expired before it was placed here: the late order reserves nothing.
        VOID = "void"

    order_id = models.UUIDField(primary_key=True)
    status = models.CharField(max_length=10, choices=Status.choices)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "reservation"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["reserved", "rejected", "released", "void"]),
                name="reservation_status_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.status}"


class ReservationLine(models.Model):
    """Units of one product that an order holds, or held before its release."""

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    quantity = models.IntegerField()

    class Meta:
        db_table = "reservation_line"
        constraints = [
            models.UniqueConstraint(
                fields=["reservation", "product"], name="reservation_line_once"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_line_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"


class StockMovement(models.Model):
    """The ledger: every change of a stock, signed. It only grows."""

    class Kind(models.TextChoices):
        INITIAL = "initial"
        ADJUSTMENT = "adjustment"
        RESERVATION = "reservation"
        RELEASE = "release"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    quantity = models.IntegerField()
    order_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=200, default="", blank=True)
    by = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "stock_movement"
        constraints = [
            # The last guard against a doubled effect; unlike the inbox, it is never purged.
            models.UniqueConstraint(
                fields=["order_id", "product", "kind"],
                name="stock_movement_once",
                condition=Q(order_id__isnull=False),
            ),
            models.CheckConstraint(condition=~Q(quantity=0), name="stock_movement_not_nothing"),
            models.CheckConstraint(
                condition=Q(kind__in=["reservation", "release"], order_id__isnull=False)
                | Q(kind__in=["initial", "adjustment"], order_id__isnull=True),
                name="stock_movement_order_if_sold",
            ),
        ]
        indexes = [models.Index(fields=["product", "-id"], name="stock_movement_by_product")]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity:+d}"
