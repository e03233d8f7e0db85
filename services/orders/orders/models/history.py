"""What became of orders, step by step."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orders.models.orders import Order


class OrderHistory(models.Model):
    """A row for each state an order has had, with the event that brought it there."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="history")
    version = models.IntegerField()
    from_status = models.CharField(max_length=10, default="", blank=True)
    to_status = models.CharField(max_length=10)
    event_id = models.UUIDField(null=True)
    note = models.CharField(max_length=200, default="", blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "order_history"
        constraints = [
            models.UniqueConstraint(fields=["order", "version"], name="order_history_version_once"),
            models.CheckConstraint(
                condition=~Q(from_status=F("to_status")), name="order_history_moves"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status or 'nothing'} → {self.to_status}"
