"""Orders: their states, and how they move from one to the next."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

MAX_LINES = 1000
MAX_QUANTITY = 1_000_000
#: What the column holds: a thousand lines of the largest quantity at the largest price would be ten
#: times that.
MAX_TOTAL = Decimal("999999999999999999.99")


class Status(models.TextChoices):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SHIPPED = "shipped"
    DELIVERED = "delivered"


#: The states an order may move to from each; any other move is a 409.
TRANSITIONS: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.PENDING: frozenset(
            {Status.CONFIRMED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED}
        ),
        Status.CONFIRMED: frozenset({Status.SHIPPED, Status.CANCELLED}),
        Status.SHIPPED: frozenset({Status.DELIVERED}),
        Status.REJECTED: frozenset(),
        Status.EXPIRED: frozenset(),
        Status.CANCELLED: frozenset(),
        Status.DELIVERED: frozenset(),
    }
)


def states_before(target: Status) -> list[str]:
    """Return the states from which an order may become `target`."""
    return [source.value for source, targets in TRANSITIONS.items() if target in targets]


class Order(models.Model):
    """An order.

    `version` counts its states; `deadline` is when it expires if its stock has not decided it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user_id = models.UUIDField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=20, decimal_places=2)
    version = models.IntegerField(default=1)
    placed_at = models.DateTimeField(db_default=Now())
    deadline = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    shortages = models.JSONField(null=True)

    class Meta:
        db_table = "orders"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="order_status_known"
            ),
            models.CheckConstraint(condition=Q(total__gte=0), name="order_total_not_negative"),
            models.CheckConstraint(
                condition=Q(status="pending", settled_at__isnull=True)
                | (~Q(status="pending") & Q(settled_at__isnull=False)),
                name="order_settled_unless_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["user_id", "-id"], name="order_by_user"),
            models.Index(
                fields=["deadline"], name="order_pending_deadline", condition=Q(status="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"
