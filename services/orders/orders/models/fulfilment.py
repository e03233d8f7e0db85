"""What left the house, and what came back."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from orders.models.lines import OrderLine
from orders.models.orders import Order


class Shipment(models.Model):
    """A parcel of an order."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipments")
    carrier = models.CharField(max_length=100, default="", blank=True)
    tracking_number = models.CharField(max_length=100, default="", blank=True)
    shipped_at = models.DateTimeField(db_default=Now())
    shipped_by = models.UUIDField()

    class Meta:
        db_table = "shipment"

    def __str__(self) -> str:
        return f"{self.carrier} {self.tracking_number}"


class ShipmentLine(models.Model):
    """Units of a line in a parcel."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="+", db_index=False)
    quantity = models.IntegerField()

    class Meta:
        db_table = "shipment_line"
        constraints = [
            models.UniqueConstraint(fields=["shipment", "line"], name="shipment_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="shipment_line_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.line_id}"


class OrderReturn(models.Model):
    """Units that a customer sent back; products adds them to its stock again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="returns")
    returned_at = models.DateTimeField(db_default=Now())
    received_by = models.UUIDField()

    class Meta:
        db_table = "order_return"

    def __str__(self) -> str:
        return str(self.id)


class OrderReturnLine(models.Model):
    """Units of a line that came back together."""

    order_return = models.ForeignKey(OrderReturn, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="+", db_index=False)
    quantity = models.IntegerField()

    class Meta:
        db_table = "order_return_line"
        constraints = [
            models.UniqueConstraint(fields=["order_return", "line"], name="order_return_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_return_line_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.line_id}"
