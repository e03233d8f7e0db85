"""How orders end: confirmed or rejected by the stock, cancelled by people, expired by time."""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction

from orders import events
from orders.errors import NotCancellable
from orders.models import Actor, Order, OrderLine, Status
from orders.services.payment_steps import release_payments
from orders.services.transitions import (
    BY_CUSTOMER,
    BY_PAYMENT,
    BY_STOCK,
    BY_TIME,
    By,
    Transition,
    transition_orders,
)
from servicekit.messaging.outbox import Outgoing, publish_many
from servicekit.messaging.router import Received

EXPIRY_BATCH = 500
CancelledBy = Literal["customer", "staff", "payment"]
#: How the event tells who cancelled; a machine client acts for staff.
CANCELLED_BY: Mapping[Actor, CancelledBy] = MappingProxyType(
    {Actor.CUSTOMER: "customer", Actor.PAYMENT: "payment"}
)
#: Of what was short, as many products are named to people: an event has a largest size.
MAX_NAMED = 10
# By hand for its literal 'pending': the ORM binds the status as a parameter, and with a parameter a
# generic plan cannot use the partial index on the deadline and reads every order. And not with
# clock_timestamp(), which may change from row to row: every pending order would be looked at.
OVERDUE = """
    SELECT id FROM orders WHERE status = 'pending' AND deadline < statement_timestamp()
    ORDER BY deadline LIMIT %s FOR UPDATE SKIP LOCKED
"""


def confirm_orders(*, received: Sequence[Received[events.StockReserved]]) -> None:
    """Confirm the orders whose stock is reserved.

    An order that was cancelled or expired meanwhile stays so: its own event releases the stock.
    """
    causes = {each.event.order_id: each for each in received}
    event_ids = {order_id: cause.envelope.id for order_id, cause in causes.items()}
    confirmed = transition_orders(event_ids, Status.CONFIRMED, by=BY_STOCK)
    lines = lines_of(confirmed)
    publish_many(
        _outgoing(_confirmed(order, lines[order.id]), order, causes[order.id])
        for order in confirmed.values()
    )


def confirm_paid_order(*, order_id: UUID, event_id: UUID, traceparent: str) -> bool:
    """Confirm an order whose money is there; return whether it still waited for it.

    `event_id` is the event that reserved its stock, which is what causes the confirmation. Call it
    in the transaction that writes the payment.
    """
    confirmed = transition_orders({order_id: event_id}, Status.CONFIRMED, by=BY_PAYMENT)
    lines = lines_of(confirmed)
    publish_many(
        Outgoing(
            _confirmed(order, lines[order.id]),
            subject=str(order.id),
            sequence=order.version,
            causation=event_id,
            traceparent=traceparent,
        )
        for order in confirmed.values()
    )
    return bool(confirmed)


def reject_orders(*, received: Sequence[Received[events.StockRejected]]) -> None:
    """Reject the orders that could not have their stock, and keep what was short."""
    causes = {each.event.order_id: each for each in received}
    event_ids = {order_id: cause.envelope.id for order_id, cause in causes.items()}
    shortages = {
        order_id: [shortage.model_dump(mode="json") for shortage in cause.event.shortages]
        for order_id, cause in causes.items()
    }
    rejected = transition_orders(event_ids, Status.REJECTED, by=BY_STOCK, shortages=shortages)
    names = _names_of_short(rejected, shortages)
    publish_many(
        _outgoing(_rejected(order, shortages[order.id], names), order, causes[order.id])
        for order in rejected.values()
    )


def cancel_order(*, order_id: UUID, by: By = BY_CUSTOMER, reason: str = "") -> None:
    """Take a pending or confirmed order back; cancelling a cancelled order changes nothing.

    Raises:
        NotCancellable: it is rejected, expired or delivered, or something of it was shipped.
    """
    with transaction.atomic():
        cancelled = transition_orders({order_id: None}, Status.CANCELLED, by=by, note=reason)
        publish_many(
            Outgoing(_cancelled(order, by), subject=str(order.id), sequence=order.version)
            for order in cancelled.values()
        )
        release_payments(order_ids=cancelled)
        if not cancelled:
            _refuse_unless_cancelled(order_id)


def _cancelled(order: Transition, by: By) -> events.OrderCancelled:
    reason = CANCELLED_BY.get(by.actor, "staff")
    return events.OrderCancelled(
        order_id=order.id, user_id=order.user_id, number=order.number, reason=reason
    )


def _refuse_unless_cancelled(order_id: UUID) -> None:
    status = Order.objects.values_list("status", flat=True).get(pk=order_id)
    if status == Status.CANCELLED:
        return
    detail = f"The order is {status}."
    if status == Status.CONFIRMED:
        detail = "A part of the order was shipped."
    raise NotCancellable(detail, members={"order_status": status})


def expire_all_overdue(*, seconds: float) -> int:
    """Expire pending orders until none is overdue or `seconds` are over; return how many.

    A batch and a transaction at a time, so that no sweep holds many rows for long.
    """
    until = time.monotonic() + seconds
    total = expired = expire_overdue_orders()
    while expired >= EXPIRY_BATCH and time.monotonic() < until:
        expired = expire_overdue_orders()
        total += expired
    return total


def expire_overdue_orders(*, at_most: int = EXPIRY_BATCH) -> int:
    """Expire a batch of pending orders that are past their deadline; return how many.

    Two sweeps at once share the work.
    """
    with transaction.atomic():
        overdue = _lock_overdue(at_most)
        if not overdue:
            return 0
        expired = transition_orders(
            dict.fromkeys(overdue), Status.EXPIRED, by=BY_TIME, note="past its deadline"
        )
        publish_many(
            Outgoing(
                events.OrderExpired(order_id=order.id, user_id=order.user_id, number=order.number),
                subject=str(order.id),
                sequence=order.version,
            )
            for order in expired.values()
        )
        release_payments(order_ids=expired)
    return len(expired)


def _lock_overdue(at_most: int) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(OVERDUE, [at_most])
        return [row[0] for row in cursor.fetchall()]


def lines_of(order_ids: Iterable[UUID]) -> dict[UUID, list[events.Line]]:
    """Return the lines of each order as events tell them, in the order of the basket."""
    lines: dict[UUID, list[events.Line]] = {order_id: [] for order_id in order_ids}
    # Where no order moved, the ORM asks nothing: an empty `__in` is known to match no row.
    rows = OrderLine.objects.filter(order_id__in=list(lines)).order_by("id")
    for order_id, product_id, quantity in rows.values_list("order_id", "product_id", "quantity"):
        lines[order_id].append(events.Line(product_id=product_id, quantity=quantity))
    return lines


def _confirmed(order: Transition, lines: list[events.Line]) -> events.OrderConfirmed:
    return events.OrderConfirmed(
        order_id=order.id,
        user_id=order.user_id,
        number=order.number,
        lines=lines,
        total=order.total,
        currency=order.currency,
    )


def _rejected(
    order: Transition, shortages: Sequence[Mapping[str, Any]], names: Mapping[tuple[UUID, str], str]
) -> events.OrderRejected:
    short = [events.Shortage.model_validate(row) for row in shortages]
    found = (names.get((order.id, row["product_id"])) for row in shortages[:MAX_NAMED])
    return events.OrderRejected(
        order_id=order.id,
        user_id=order.user_id,
        number=order.number,
        shortages=short,
        products=[name for name in found if name],
    )


def _names_of_short(
    order_ids: Iterable[UUID], shortages: Mapping[UUID, Sequence[Mapping[str, Any]]]
) -> dict[tuple[UUID, str], str]:
    """Return the names of the first products that each order is short of."""
    orders = list(order_ids)
    products = {row["product_id"] for pk in orders for row in shortages[pk][:MAX_NAMED]}
    lines = OrderLine.objects.filter(order_id__in=orders, product_id__in=products)
    return {
        (order_id, str(product_id)): name
        for order_id, product_id, name in lines.values_list("order_id", "product_id", "name")
    }


def _outgoing(
    event: events.OrderConfirmed | events.OrderRejected, order: Transition, cause: Received[Any]
) -> Outgoing:
    envelope = cause.envelope
    return Outgoing(event, str(order.id), order.version, envelope.id, envelope.traceparent)
