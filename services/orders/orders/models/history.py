"""What became of orders, step by step."""

from django.db import models
from django.db.models.functions import Now

from orders.models.orders import Order


class Actor(models.TextChoices):
    """Who took a step."""

    CUSTOMER = "customer"
    STAFF = "staff"
    CLIENT = "client"  # a machine client
    STOCK = "stock"  # products answered: `event_id`
    TIME = "time"  # a deadline passed
    PAYMENT = "payment"  # the provider answered


class OrderHistory(models.Model):
    """A row for each step of an order: who took it, and why.

    A step leads to another state, or says that units were shipped or came back meanwhile.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="history")
    version = models.IntegerField()
    from_status = models.CharField(max_length=10, default="", blank=True)
    to_status = models.CharField(max_length=10)
    event_id = models.UUIDField(null=True)
    #: Empty in rows of before actors were noted.
    actor = models.CharField(
        max_length=10, choices=Actor.choices, default="", blank=True, db_default=""
    )
    #: The account or the machine client; null where no person and no client did it.
    actor_id = models.UUIDField(null=True)
    #: Why, as the actor said it.
    note = models.CharField(max_length=200, default="", blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "order_history"
        constraints = [
            models.UniqueConstraint(fields=["order", "version"], name="order_history_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.from_status or 'nothing'} → {self.to_status}"
