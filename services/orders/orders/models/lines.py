"""What was ordered."""

from django.db import models
from django.db.models import Q

from orders.models.orders import Order


class OrderLine(models.Model):
    """A product in an order, with the name and price it had when it was placed."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    product_id = models.UUIDField()
    name = models.CharField(max_length=200)
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)
    quantity = models.IntegerField()

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
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.name}"
