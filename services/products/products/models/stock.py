"""Stock: a number that is always the sum of its movements."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from products.models.catalogue import Product


class StockAlert(models.Model):
    """A time in which a product's stock was low: from falling to its threshold to rising above."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="alerts")
    stock = models.BigIntegerField()
    threshold = models.IntegerField()
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    #: When a worker took it to mail it; null: no mail tells of it yet.
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "stock_alert"
        indexes = [
            models.Index(
                fields=["opened_at"], name="stock_alert_unmailed", condition=Q(mailed_at=None)
            )
        ]
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
    #: When orders told that the order was confirmed; null until then.
    confirmed_at = models.DateTimeField(null=True)
    #: When orders was last asked what became of the order.
    asked_at = models.DateTimeField(null=True)
    #: Whether its units are among the sales. True for every row of before `confirmed_at`, which
    #: may be confirmed a second time by an answer.
    is_counted = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "reservation"
        indexes = [
            models.Index(
                fields=["created_at"],
                name="reservation_unsettled",
                condition=Q(status="reserved", confirmed_at=None),
            )
        ]
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
        RETURN = "return"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    quantity = models.IntegerField()
    order_id = models.UUIDField(null=True)
    #: Of the units that a customer sent back together.
    return_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=200, default="", blank=True)
    by = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "stock_movement"
        constraints = [
            # The last guards against a doubled effect; unlike the inbox, they are never purged.
            models.UniqueConstraint(
                fields=["order_id", "product", "kind"],
                name="stock_movement_sold_once",
                condition=Q(order_id__isnull=False, return_id__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["return_id", "product"],
                name="stock_movement_returned_once",
                condition=Q(return_id__isnull=False),
            ),
            models.CheckConstraint(condition=~Q(quantity=0), name="stock_movement_not_nothing"),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["reservation", "release"],
                    order_id__isnull=False,
                    return_id__isnull=True,
                )
                | Q(kind="return", order_id__isnull=False, return_id__isnull=False)
                | Q(
                    kind__in=["initial", "adjustment"],
                    order_id__isnull=True,
                    return_id__isnull=True,
                ),
                name="stock_movement_says_for_what",
            ),
        ]
        indexes = [models.Index(fields=["product", "-id"], name="stock_movement_by_product")]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity:+d}"
