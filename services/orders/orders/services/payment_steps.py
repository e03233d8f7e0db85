"""What is to be asked of the payment provider: rows in the transaction of what they follow from."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from uuid import UUID

from orders.models import Payment, PaymentStep

Operation = PaymentStep.Operation
HELD = (Payment.State.REQUESTED, Payment.State.AUTHORISED)


def release_payments(*, order_ids: Collection[UUID]) -> None:
    """Let go what was set aside for orders that have ended without their goods.

    Nothing was taken: that is done by shipping, and what is shipped is not cancelled.

    Call it in the transaction that ends them, after that has their rows locked.
    """
    _write(
        _step(payment, Operation.VOID, payment.amount)
        for payment in _locked(order_ids)
        if payment.state in HELD
    )


def capture_payments(*, order_ids: Collection[UUID]) -> None:
    """Take what was set aside for orders of which something is shipped; a second time is nothing.

    Call it in the transaction that ships, after that has their rows locked.
    """
    _write(
        _step(payment, Operation.CAPTURE, payment.amount)
        for payment in _locked(order_ids)
        if payment.state == Payment.State.AUTHORISED
    )


def refund_payment(*, order_id: UUID, amount: Decimal, cause: str) -> None:
    """Give back a part of what an order cost; `cause` names what for, such as a return's id.

    Refunds never exceed what was paid. Call it in the transaction of the return, after that has the
    order's row locked.
    """
    for payment in _locked([order_id]):
        asked = _refunds_of(payment)
        part = min(amount, payment.amount - asked)
        if part > 0:
            _write([_step(payment, Operation.REFUND, part, cause=cause)])


def _locked(order_ids: Collection[UUID]) -> list[Payment]:
    rows = Payment.objects.filter(order_id__in=list(order_ids)).order_by("order_id")
    return list(rows.select_for_update())


def _refunds_of(payment: Payment) -> Decimal:
    refunds = PaymentStep.objects.filter(payment=payment, operation=Operation.REFUND)
    return sum(refunds.exclude(approved=False).values_list("amount", flat=True), Decimal(0))


def _step(payment: Payment, operation: str, amount: Decimal, *, cause: str = "") -> PaymentStep:
    key = f"{operation}:{cause}" if cause else operation
    return PaymentStep(payment=payment, operation=operation, key=key, amount=amount)


def _write(steps: Iterable[PaymentStep]) -> None:
    PaymentStep.objects.bulk_create(steps, ignore_conflicts=True)
