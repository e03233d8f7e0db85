"""An outcome that products did not learn of is published anew when it asks."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders.events import ReservationUnsettled
from orders.handlers import router
from orders.models import Actor, Order, OrderHistory
from orders.services.fulfilment import Parcel, ship_order
from orders.services.settlement import cancel_order, expire_overdue_orders
from orders.services.transitions import By
from servicekit.messaging.delivery import Delivery
from servicekit.models import InboxEvent
from servicekit.testing.deliver import deliver, make_delivery, outbox_events
from tests.factories import make_order, rejected, reserved

STOCK = "orders.stock"
TOLD = ("orders.order_confirmed.v1", "orders.order_cancelled.v1", "orders.order_expired.v1")


def question(order_id: UUID, *, asked_before: bool = False) -> Delivery:
    data = {"order_id": str(order_id), "asked_before": asked_before}
    return make_delivery(ReservationUnsettled.type, data)


def told() -> list[dict[str, Any]]:
    return [event for event in outbox_events() if event["type"] in TOLD]


def confirm(order: Order) -> None:
    deliver(router, STOCK, [reserved(order.pk)])


def ship(order: Order) -> None:
    confirm(order)
    ship_order(order_id=order.pk, by=By(Actor.STAFF, uuid7()), parcel=Parcel())


def cancel_confirmed(order: Order) -> None:
    confirm(order)
    cancel_order(order_id=order.pk, by=By(Actor.STAFF, uuid7()))


def expire(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(deadline=timezone.now())
    expire_overdue_orders()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("end", "event_type", "sequence"),
    [
        (confirm, "orders.order_confirmed.v1", 2),
        (ship, "orders.order_confirmed.v1", 2),
        (lambda order: cancel_order(order_id=order.pk), "orders.order_cancelled.v1", 2),
        (cancel_confirmed, "orders.order_cancelled.v1", 3),
        (expire, "orders.order_expired.v1", 2),
    ],
    ids=["confirmed", "shipped", "cancelled", "cancelled by staff", "expired"],
)
def test_outcome_is_told_again_as_it_was_told(
    end: Callable[[Order], None], event_type: str, sequence: int
) -> None:
    order = make_order()
    end(order)
    first = told()[-1]
    steps = OrderHistory.objects.count()

    deliver(router, STOCK, [question(order.pk)], times=2)

    again = told()[-1]
    assert (again["type"], again["sequence"], again["subject"]) == (
        event_type, sequence, str(order.pk),
    )  # fmt: skip
    assert again["data"] == first["data"]
    assert again["causation"] == InboxEvent.objects.latest("handled_at").event_id
    # Told once for the question, however often that came; nothing else happened.
    assert len([each for each in told() if each["type"] == event_type]) == 2
    assert OrderHistory.objects.count() == steps


@pytest.mark.django_db(transaction=True)
def test_pending_order_has_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    order = make_order()

    deliver(router, STOCK, [question(order.pk)], times=2)

    assert told() == []
    assert "units are held" not in caplog.text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("asked_before", "level"), [(False, "ERROR"), (True, "INFO")])
def test_order_that_cannot_hold_units_is_an_error_once(
    caplog: pytest.LogCaptureFixture, asked_before: bool, level: str
) -> None:
    order, unknown = make_order(), uuid7()
    deliver(router, STOCK, [rejected(order.pk, order.lines.get().product_id)])

    with caplog.at_level(logging.INFO):
        questions = [question(each, asked_before=asked_before) for each in (order.pk, unknown)]
        deliver(router, STOCK, questions, times=2)

    assert told() == []
    found = [each for each in caplog.records if each.message.startswith("units are held")]
    assert {(each.order, each.order_status, each.levelname) for each in found} == {  # type: ignore[attr-defined]
        (str(order.pk), "rejected", level),
        (str(unknown), "unknown", level),
    }
    assert len(found) == 2


@pytest.mark.django_db(transaction=True)
def test_batch_of_questions_and_answers_is_answered_each_its_way() -> None:
    orders = [make_order() for _ in range(3)]
    confirm(orders[0])
    cancel_order(order_id=orders[1].pk)

    deliver(router, STOCK, [question(order.pk) for order in orders], times=2)

    assert [(each["type"], each["subject"]) for each in told()[2:]] == [
        ("orders.order_confirmed.v1", str(orders[0].pk)),
        ("orders.order_cancelled.v1", str(orders[1].pk)),
    ]
