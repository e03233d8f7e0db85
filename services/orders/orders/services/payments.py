"""Payments: asked for when an order's stock is reserved, and what the provider's answers do.

The order's row is locked before the payment's, here as in whatever ends an order, so that an answer
and a cancel cannot wait for each other. An answer counts once; one that comes after the order has
ended is answered with a void (docs/adr/0105-payments-are-a-port.md).
"""

import contextlib
import logging
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from orders import events
from orders.errors import NotCancellable
from orders.models import Order, Payment, PaymentStep, Status
from orders.services.payment_steps import Operation, release_payments
from orders.services.settlement import cancel_order, confirm_orders, confirm_paid_order
from orders.services.transitions import BY_PAYMENT
from servicekit.messaging.router import Received

logger = logging.getLogger(__name__)
State = Payment.State


def settle_reserved(*, received: Sequence[Received[events.StockReserved]]) -> None:
    """Confirm the orders whose stock is reserved, or ask for their money first.

    An order that costs nothing is confirmed, and so is every order of a shop without a provider.
    """
    costly = _costly(received) if settings.PAYMENT_PROVIDER else {}
    if costly:
        _ask_for_money(costly, {each.event.order_id: each for each in received})
    confirm_orders(received=[each for each in received if each.event.order_id not in costly])


def _costly(received: Sequence[Received[events.StockReserved]]) -> dict[UUID, Order]:
    """Return the pending orders that cost something, locked: a cancel waits for this."""
    pending = Order.objects.filter(
        pk__in=[each.event.order_id for each in received], status=Status.PENDING
    )
    # All of them, in id order, as whatever locks several orders does.
    locked = pending.order_by("pk").select_for_update(no_key=True)
    return {order.pk: order for order in locked if order.total > 0}


def _ask_for_money(
    orders: dict[UUID, Order], causes: dict[UUID, Received[events.StockReserved]]
) -> None:
    known = set(Payment.objects.filter(order_id__in=orders).values_list("order_id", flat=True))
    payments = [
        Payment(
            order=order,
            amount=order.total,
            currency=order.currency,
            cause_id=causes[pk].envelope.id,
            traceparent=causes[pk].envelope.traceparent or "",
        )
        for pk, order in orders.items()
        if pk not in known
    ]
    Payment.objects.bulk_create(payments)
    PaymentStep.objects.bulk_create(
        PaymentStep(
            payment=payment,
            operation=Operation.AUTHORISE,
            key=Operation.AUTHORISE,
            amount=payment.amount,
        )
        for payment in payments
    )


def take_answer(*, step_id: UUID, approved: bool) -> None:
    """Do what an answer of the provider means; an answer that was there before does nothing.

    Raises:
        PaymentStep.DoesNotExist: nothing was asked under this id.
    """
    order_id = PaymentStep.objects.values_list("payment__order_id", flat=True).get(pk=step_id)
    with transaction.atomic():
        Order.objects.select_for_update(no_key=True).get(pk=order_id)
        steps = PaymentStep.objects.select_for_update(of=["self", "payment"])
        step = steps.select_related("payment").get(pk=step_id)
        if step.answered_at is None:
            PaymentStep.objects.filter(pk=step_id).update(answered_at=Now(), approved=approved)
            ANSWERED[Operation(step.operation)](step.payment, step.amount, approved)


def _authorised(payment: Payment, _amount: Decimal, approved: bool) -> None:
    if payment.state != State.REQUESTED:
        return  # it was voided meanwhile
    _set_state(payment, State.AUTHORISED if approved else State.DECLINED)
    if not approved:
        _cancel(payment.order_id)
    elif not confirm_paid_order(
        order_id=payment.order_id,
        event_id=payment.cause_id,
        traceparent=payment.traceparent,
    ):
        # Cancelled or expired before the answer came.
        release_payments(order_ids=[payment.order_id])


def _cancel(order_id: UUID) -> None:
    """Cancel an order that is not paid for, unless it has ended already."""
    with contextlib.suppress(NotCancellable):
        cancel_order(order_id=order_id, by=BY_PAYMENT, reason="the payment was declined")


def _captured(payment: Payment, _amount: Decimal, approved: bool) -> None:
    if approved:
        _set_state(payment, State.CAPTURED)
    else:
        _log_refusal(payment, "capture")


def _voided(payment: Payment, _amount: Decimal, approved: bool) -> None:
    if not approved:
        _log_refusal(payment, "void")
    elif payment.state != State.DECLINED:
        _set_state(payment, State.VOIDED)


def _refunded(payment: Payment, amount: Decimal, approved: bool) -> None:
    if not approved:
        _log_refusal(payment, "refund")
        return
    Payment.objects.filter(pk=payment.pk).update(refunded_amount=F("refunded_amount") + amount)
    if payment.refunded_amount + amount == payment.amount:
        _set_state(payment, State.REFUNDED)


def _set_state(payment: Payment, state: str) -> None:
    Payment.objects.filter(pk=payment.pk).update(state=state, updated_at=Now())


def _log_refusal(payment: Payment, operation: str) -> None:
    """Say what a person has to settle with the provider; the step keeps the refusal."""
    logger.error(
        "the payment provider refuses",
        extra={"payment": str(payment.pk), "operation": operation, "state": payment.state},
    )


ANSWERED = {
    Operation.AUTHORISE: _authorised,
    Operation.CAPTURE: _captured,
    Operation.VOID: _voided,
    Operation.REFUND: _refunded,
}
