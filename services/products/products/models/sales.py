"""What was sold, learnt from confirmed orders."""

from django.db import models
from django.db.models import Q
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
