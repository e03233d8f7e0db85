"""Payments of orders, and what is asked of the payment provider."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from orders.models.orders import Order
from servicekit.models.timestamped import Timestamped


class Payment(Timestamped):
    """The payment of an order, from the moment its stock is reserved.

    Its rows are the shop's book; the provider's answers alone change the state
    (services/payments.py). Card data is never here: the provider has it.
    """

    class State(models.TextChoices):
        REQUESTED = "requested"  # to be authorised
        AUTHORISED = "authorised"
        DECLINED = "declined"
        CAPTURED = "captured"
        VOIDED = "voided"
        REFUNDED = "refunded"  # whole; a part is `refunded_amount`

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="payment")
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    refunded_amount = models.DecimalField(max_digits=20, decimal_places=2, default=0)
    #: The event that reserved the stock: it causes the order's confirmation.
    cause_id = models.UUIDField()
    traceparent = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        db_table = "payment"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("amount")),
                name="payment_refunds_in_bounds",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "requested",
                        "authorised",
                        "declined",
                        "captured",
                        "voided",
                        "refunded",
                    ]
                ),
                name="payment_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.state}"


class PaymentStep(models.Model):
    """Something that is asked of the provider, again and again until it has answered.

    `id` is the idempotency key of the request. `key` names the step within its payment, so that
    nothing is asked twice under two ids.
    """

    class Operation(models.TextChoices):
        AUTHORISE = "authorise"
        CAPTURE = "capture"
        VOID = "void"
        REFUND = "refund"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="steps")
    operation = models.CharField(max_length=10, choices=Operation.choices)
    key = models.CharField(max_length=60)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    tries = models.IntegerField(db_default=0)
    asked_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    approved = models.BooleanField(null=True)

    class Meta:
        db_table = "payment_step"
        constraints = [
            models.UniqueConstraint(fields=["payment", "key"], name="payment_step_once"),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, approved__isnull=True)
                | Q(answered_at__isnull=False, approved__isnull=False),
                name="payment_step_answered_whole",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="payment_step_open",
                condition=Q(answered_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.amount}"


class ProviderEntry(models.Model):
    """The book of the test provider (payment_providers/test.py), as if it were somewhere else."""

    key = models.UUIDField(primary_key=True)
    payment_id = models.UUIDField()
    operation = models.CharField(max_length=10)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    asked_at = models.DateTimeField(db_default=Now())
    calls = models.IntegerField(default=0)
    approved = models.BooleanField(null=True)

    class Meta:
        db_table = "test_provider_entry"
        indexes = [models.Index(fields=["payment_id"], name="test_provider_payment")]

    def __str__(self) -> str:
        return f"{self.operation} {self.amount}"
