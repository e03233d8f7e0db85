"""What was sold, learnt from confirmed orders, and what was looked at."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from products.models.catalogue import Product


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
        indexes = [models.Index(fields=["product", "-id"], name="purchase_by_product")]

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
        indexes = [models.Index(fields=["product", "day"], name="product_sales_by_product")]

    def __str__(self) -> str:
        return f"{self.units} of {self.product_id} on {self.day}"


class ProductViews(models.Model):
    """How often a product was looked at on a day (UTC)."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    views = models.BigIntegerField()

    class Meta:
        db_table = "product_views"
        constraints = [
            models.UniqueConstraint(fields=["product", "day"], name="product_views_once"),
            models.CheckConstraint(condition=Q(views__gt=0), name="product_views_positive"),
        ]
        indexes = [models.Index(fields=["day", "product"], name="product_views_by_day")]

    def __str__(self) -> str:
        return f"{self.views} of {self.product_id} on {self.day}"


class RelatedProduct(models.Model):
    """What customers who bought a product bought as well; `customers` is how many of the latest."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="related")
    other = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    customers = models.IntegerField()

    class Meta:
        db_table = "related_product"
        constraints = [
            models.UniqueConstraint(fields=["product", "other"], name="related_product_once"),
            models.CheckConstraint(condition=~Q(product=F("other")), name="related_product_other"),
        ]

    def __str__(self) -> str:
        return f"{self.other_id} with {self.product_id}"
