"""How orders end: moved once, by the table, and nothing half done."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from orders.errors import NotCancellable
from orders.models import TRANSITIONS, Order, OrderHistory, Status, states_before
from orders.services import settlement
from orders.services.transitions import BY_TIME, transition_orders
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import make_order, make_product


def states(order_id: UUID) -> list[str]:
    return list(
        OrderHistory.objects.filter(order_id=order_id)
        .order_by("version")
        .values_list("to_status", flat=True)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("status", [status for status in Status if status != Status.CANCELLED])
def test_cancel_order_follows_the_table(status: Status) -> None:
    settled = None if status == Status.PENDING else timezone.now()
    order = make_order(status=status, settled_at=settled)
    before = len(outbox_events())

    if Status.CANCELLED in TRANSITIONS[status]:
        settlement.cancel_order(order_id=order.pk)
        expected, events = "cancelled", 1
    else:
        with pytest.raises(NotCancellable):
            settlement.cancel_order(order_id=order.pk)
        expected, events = status.value, 0

    order.refresh_from_db()
    assert order.status == expected
    assert len(outbox_events()) == before + events


@pytest.mark.django_db
def test_cancel_order_twice_changes_nothing_more() -> None:
    order = make_order()
    settlement.cancel_order(order_id=order.pk)

    settlement.cancel_order(order_id=order.pk)

    assert states(order.pk) == ["pending", "cancelled"]
    assert len(outbox_events("orders.order_cancelled.v1")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("target", list(Status))
def test_only_the_table_moves_orders(target: Status) -> None:
    for status in Status:
        settled = None if status == Status.PENDING else timezone.now()
        order = make_order(status=status, settled_at=settled)

        moved = transition_orders({order.pk: None}, target, by=BY_TIME)

        order.refresh_from_db()
        assert bool(moved) == (target in TRANSITIONS[status])
        assert order.status == (target if moved else status)
    assert set(states_before(target)) == {
        status for status in Status if target in TRANSITIONS[status]
    }


@pytest.mark.django_db
def test_expire_takes_overdue_pending_orders_only() -> None:
    past = timezone.now() - timedelta(seconds=1)
    overdue, young = make_order(deadline=past), make_order()
    confirmed = make_order(deadline=past, status=Status.CONFIRMED, settled_at=past)

    assert settlement.expire_overdue_orders() == 1

    assert {order.pk: order.status for order in Order.objects.all()} == {
        overdue.pk: "expired",
        young.pk: "pending",
        confirmed.pk: "confirmed",
    }
    (event,) = outbox_events("orders.order_expired.v1")
    assert event["data"]["order_id"] == str(overdue.pk)
    assert settlement.expire_overdue_orders() == 0


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_expire_each_order_once() -> None:
    past = timezone.now() - timedelta(seconds=1)
    product = make_product()
    for _ in range(30):
        make_order({product.product_id: 1}, deadline=past)

    counts = at_once(*[settlement.expire_overdue_orders] * 4)

    assert sum(counts) + settlement.expire_overdue_orders() == 30
    assert len(outbox_events("orders.order_expired.v1")) == 30


@pytest.mark.django_db(transaction=True)
def test_cancel_and_expire_at_once_end_the_order_once() -> None:
    past = timezone.now() - timedelta(seconds=1)
    orders = [make_order(deadline=past) for _ in range(20)]

    def cancel_all() -> None:
        for order in orders:
            try:
                settlement.cancel_order(order_id=order.pk)
            except NotCancellable:
                continue

    def expire_all() -> None:
        for _ in range(20):
            settlement.expire_overdue_orders(at_most=1)

    assert at_once(cancel_all, expire_all, cancel_all) == [None, None, None]

    settlement.expire_overdue_orders()
    for order in orders:
        assert len(states(order.pk)) == 2
    ends = outbox_events("orders.order_expired.v1") + outbox_events("orders.order_cancelled.v1")
    assert sorted(event["subject"] for event in ends) == sorted(str(order.pk) for order in orders)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "columns",
    [
        {"status": "lost"},
        {"total": Decimal("-1")},
        {"status": "confirmed"},
        {"settled_at": "2026-01-01T00:00Z"},
    ],
)
def test_database_refuses_what_must_never_be(columns: dict[str, Any]) -> None:
    order = make_order()

    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**columns)
