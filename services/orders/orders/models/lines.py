"""What was ordered."""

from django.db import models
from django.db.models import F, Q

from orders.models.orders import Order


class OrderLine(models.Model):
    """A product in an order, with the name and price it had when it was placed.

    Its currency is the order's. Of its units, some may be shipped, and of these some returned.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    product_id = models.UUIDField()
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=100, default="", blank=True, db_default="")
    sku = models.CharField(max_length=64, default="", blank=True, db_default="")
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)
    quantity = models.IntegerField()
    shipped = models.IntegerField(default=0, db_default=0)
    returned = models.IntegerField(default=0, db_default=0)

    class Meta:
        db_table = "order_line"
        constraints = [
            models.UniqueConstraint(fields=["order", "product_id"], name="order_line_product_once"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="order_line_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0), name="order_line_price_not_negative"
            ),
            # Nothing is shipped that was not ordered, nothing comes back that was not shipped.
            models.CheckConstraint(
                condition=Q(returned__gte=0)
                & Q(returned__lte=F("shipped"))
                & Q(shipped__lte=F("quantity")),
                name="order_line_units_in_turn",
            ),
        ]
        indexes = [models.Index(fields=["product_id", "order"], name="order_line_by_product")]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.name}"
