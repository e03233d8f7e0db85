"""Orders: their states, and how they move from one to the next."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

MAX_LINES = 1000
MAX_QUANTITY = 1_000_000
#: What the column holds: a thousand lines of the largest quantity at the largest price would be ten
#: times that.
MAX_TOTAL = Decimal("999999999999999999.99")


#: Of what a customer tells the shop with an order.
MAX_NOTE_LENGTH = 500


class Status(models.TextChoices):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SHIPPED = "shipped"
    DELIVERED = "delivered"


#: The states an order may move to from each; any other move is a 409. An order of which a part was
#: shipped stays confirmed until the rest is, and is no longer cancelled (services/transitions.py,
#: docs/adr/0103-partly-shipped-is-confirmed.md).
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


#: States of orders that got nothing.
ENDED_EMPTY = frozenset({Status.REJECTED, Status.EXPIRED, Status.CANCELLED})


def states_before(target: Status) -> list[str]:
    """Return the states from which an order may become `target`."""
    return [source.value for source, targets in TRANSITIONS.items() if target in targets]


class NextSerial(Func):
    """The next serial of an order (models/numbers.py makes its number of it)."""

    function = "nextval"
    output_field = models.BigIntegerField()

    def __init__(self) -> None:
        super().__init__(Value("order_serial"))


class Order(models.Model):
    """An order.

    `version` counts its steps (models/history.py); `deadline` is when it expires if its stock has
    not decided it. `id` begins with the time of `placed_at` (UUIDv7).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    serial = models.BigIntegerField(db_default=NextSerial(), editable=False)
    user_id = models.UUIDField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=20, decimal_places=2)
    version = models.IntegerField(default=1)
    placed_at = models.DateTimeField(db_default=Now())
    deadline = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    shortages = models.JSONField(null=True)
    #: Of any part of it; only what was not shipped at all is cancelled.
    shipment_count = models.IntegerField(default=0, db_default=0)

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
            models.UniqueConstraint(fields=["serial"], name="order_serial_once"),
        ]
        indexes = [
            models.Index(fields=["user_id", "-id"], name="order_by_user"),
            models.Index(fields=["status", "id"], name="order_by_status"),
            models.Index(
                fields=["user_id"], name="order_pending_by_user", condition=Q(status="pending")
            ),
            models.Index(
                fields=["deadline"], name="order_pending_deadline", condition=Q(status="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class OrderDetails(models.Model):
    """What a customer sent with an order about themselves, by value: later edits change no order.

    Apart from the order, whose row is written again with each of its steps, and so that it can be
    forgotten while the order stays in the books (services/privacy.py).
    """

    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, primary_key=True, related_name="details"
    )
    #: As `servicekit.postal.PostalAddress` reads it.
    shipping_address = models.JSONField(null=True)
    billing_address = models.JSONField(null=True)
    note = models.CharField(max_length=MAX_NOTE_LENGTH, default="", blank=True)

    class Meta:
        db_table = "order_details"

    def __str__(self) -> str:
        return str(self.order_id)


class ForgottenCustomer(models.Model):
    """A customer whose account was deleted; the details of orders that were open go when they end.

    The id leads to nobody (docs/adr/0093-a-deleted-account-leaves-no-trace.md).
    """

    user_id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "forgotten_customer"

    def __str__(self) -> str:
        return str(self.user_id)
