"""What became of orders, told again: products asks about units that it still holds for them."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal
from uuid import UUID

from orders import events
from orders.models import Actor, Order, OrderHistory, Status
from orders.models.numbers import number_of
from orders.services.settlement import lines_of
from servicekit.messaging.envelope import PublishedEvent
from servicekit.messaging.outbox import Outgoing, publish_many
from servicekit.messaging.router import Received

logger = logging.getLogger(__name__)

#: States in which an order has its units.
SOLD = frozenset({Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED})
Questions = Sequence[Received[events.ReservationUnsettled]]
Steps = dict[tuple[UUID, str], OrderHistory]


def publish_again(*, received: Questions) -> None:
    """Publish the outcome of each order anew, as it was told: same data, same sequence, new id.

    A pending order has none yet, and its deadline brings one. An order that is unknown, or that was
    rejected, cannot hold units: that is logged, as an error when products asks for the first time.
    """
    causes = {each.event.order_id: each for each in received}
    # Locked, as transitions are, so that what is told is so when it is committed.
    orders = Order.objects.filter(pk__in=causes).order_by("pk").select_for_update(no_key=True)
    known = {order.pk: order for order in orders}
    steps = _steps(known)
    lines = lines_of(pk for pk, order in known.items() if order.status in SOLD)
    publish_many(_told_again(known, steps, lines, causes))
    for order_id, cause in causes.items():
        status = known[order_id].status if order_id in known else "unknown"
        if status in {"unknown", Status.REJECTED}:
            _log_impossible(cause.event, status)


def _told_again(
    orders: dict[UUID, Order],
    steps: Steps,
    lines: dict[UUID, list[events.Line]],
    causes: dict[UUID, Received[events.ReservationUnsettled]],
) -> Iterator[Outgoing]:
    for order in orders.values():
        status = Status.CONFIRMED if order.status in SOLD else Status(order.status)
        step = steps.get((order.pk, status))
        event = step and _outcome(order, step, lines.get(order.pk, []))
        if step and event:
            envelope = causes[order.pk].envelope
            yield Outgoing(event, str(order.pk), step.version, envelope.id, envelope.traceparent)


def _steps(order_ids: Iterable[UUID]) -> Steps:
    # The newest first, so that the step into a state counts, and none that was taken within it.
    rows = OrderHistory.objects.filter(order_id__in=list(order_ids)).order_by("-version")
    return {(row.order_id, row.to_status): row for row in rows}


def _outcome(order: Order, step: OrderHistory, lines: list[events.Line]) -> PublishedEvent | None:
    told: dict[str, Any] = {
        "order_id": order.pk,
        "user_id": order.user_id,
        "number": number_of(order.serial),
    }
    match step.to_status:
        case Status.CONFIRMED:
            return events.OrderConfirmed(
                **told, lines=lines, total=order.total, currency=order.currency
            )
        case Status.CANCELLED:
            return events.OrderCancelled(**told, reason=_who_cancelled(step))
        case Status.EXPIRED:
            return events.OrderExpired(**told)
    return None


def _who_cancelled(step: OrderHistory) -> Literal["staff", "customer"]:
    # Rows of before actors were noted have it in their note.
    by_staff = step.actor in {Actor.STAFF, Actor.CLIENT} or (
        not step.actor and step.note == "by staff"
    )
    return "staff" if by_staff else "customer"


def _log_impossible(question: events.ReservationUnsettled, status: str) -> None:
    level = logging.INFO if question.asked_before else logging.ERROR
    logger.log(
        level,
        "units are held for an order that cannot have them",
        extra={"order": str(question.order_id), "order_status": status},
    )
