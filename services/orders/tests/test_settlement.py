"""The life of an order: placed once, moved once, and nothing half done."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders import services
from orders.errors import MixedCurrencies, NotCancellable, ProductUnavailable
from orders.models import TRANSITIONS, Order, OrderHistory, OrderLine, Status, states_before
from orders.services import WishedLine
from orders.transitions import move_orders
from servicekit.http.idempotency import IdempotentRequest, KeyReused, Replay
from servicekit.models import IdempotencyKey
from servicekit.testing.deliver import outbox_events
from tests.factories import make_order, make_product

USER = uuid7()


def place(*lines: tuple[UUID, int], user_id: UUID = USER, **options: Any) -> Any:
    wished = [WishedLine(product_id, quantity) for product_id, quantity in lines]
    return services.place_order(user_id=user_id, lines=wished, **options)


def keyed(key: str = "a-key", digest: bytes = b"x" * 32, user_id: UUID = USER) -> IdempotentRequest:
    return IdempotentRequest(user_id, "place_order", key, digest)


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Run the functions in threads that start together; return what each returned or raised."""
    barrier, results = threading.Barrier(len(functions)), [None] * len(functions)

    def run(index: int, function: Callable[[], Any]) -> None:
        barrier.wait(timeout=20)
        try:
            results[index] = function()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def states(order_id: UUID) -> list[str]:
    return list(
        OrderHistory.objects.filter(order_id=order_id).order_by("version").values_list("to_status", flat=True)
    )


@pytest.mark.django_db
def test_place_order_writes_order_lines_history_and_event_together() -> None:
    first, second = make_product(price="3.39"), make_product(price="0.50", name="Candle")

    body = place((first.product_id, 2), (second.product_id, 3))

    order = Order.objects.get()
    assert (str(order.pk), order.status, order.total, order.currency) == (
        body["id"],
        Status.PENDING,
        Decimal("8.28"),
        "GBP",
    )
    assert [one.quantity for one in OrderLine.objects.order_by("id")] == [2, 3]
    assert states(order.pk) == ["pending"]
    (event,) = outbox_events()
    assert (event["type"], event["subject"], event["sequence"]) == ("orders.order_placed.v1", body["id"], 1)
    assert event["data"]["total"] == "8.28"
    assert event["data"]["lines"][1] == {
        "product_id": str(second.product_id),
        "quantity": 3,
        "unit_price": "0.50",
        "name": "Candle",
    }


@pytest.mark.django_db
def test_place_order_sums_lines_of_one_product() -> None:
    product = make_product(price="2.00")

    body = place((product.product_id, 2), (product.product_id, 3))

    assert [(one["quantity"], one["line_total"]) for one in body["lines"]] == [(5, "10.00")]
    assert outbox_events()[0]["data"]["lines"][0]["quantity"] == 5


@pytest.mark.django_db
@pytest.mark.parametrize("overrides", [{"active": False}, {"deleted": True}])
def test_place_order_refuses_what_is_not_for_sale_and_leaves_nothing(overrides: dict[str, bool]) -> None:
    good, bad = make_product(), make_product(**overrides)

    with pytest.raises(ProductUnavailable) as refusal:
        place((good.product_id, 1), (bad.product_id, 1), (uuid7(), 1), idempotent=keyed())

    assert [one["pointer"] for one in refusal.value.members["errors"]] == [
        "/lines/1/product",
        "/lines/2/product",
    ]
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_place_order_refuses_two_currencies() -> None:
    pound, euro = make_product(currency="GBP"), make_product(currency="EUR")

    with pytest.raises(MixedCurrencies):
        place((pound.product_id, 1), (euro.product_id, 1))

    assert not Order.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_place_order_keeps_the_price_of_its_moment() -> None:
    product = make_product(price="3.00")
    body = place((product.product_id, 1))

    product.price = Decimal("9.00")
    product.save()

    assert OrderLine.objects.get(order_id=body["id"]).unit_price == Decimal("3.00")


@pytest.mark.django_db
def test_place_order_with_the_same_key_gives_the_first_answer() -> None:
    product = make_product()
    first = place((product.product_id, 1), idempotent=keyed())

    again = place((product.product_id, 1), idempotent=keyed())

    assert isinstance(again, Replay)
    assert again.body == first
    assert Order.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db
def test_place_order_with_a_used_key_and_another_body_is_refused() -> None:
    product = make_product()
    place((product.product_id, 1), idempotent=keyed())

    with pytest.raises(KeyReused):
        place((product.product_id, 2), idempotent=keyed(digest=b"y" * 32))

    assert Order.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db(transaction=True)
def test_place_order_many_times_at_once_with_one_key_makes_one_order() -> None:
    product = make_product()

    answers = at_once(*[lambda: place((product.product_id, 1), idempotent=keyed())] * 12)

    bodies = [one.body if isinstance(one, Replay) else one for one in answers]
    assert all(body == bodies[0] for body in bodies)
    assert sum(isinstance(one, dict) for one in answers) == 1
    assert Order.objects.count() == 1
    assert len(outbox_events()) == 1


@pytest.mark.django_db
def test_keys_of_two_callers_do_not_meet() -> None:
    product, other = make_product(), uuid7()

    place((product.product_id, 1), idempotent=keyed())
    place((product.product_id, 1), user_id=other, idempotent=keyed(user_id=other))

    assert Order.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("status", [one for one in Status if one != Status.CANCELLED])
def test_cancel_order_follows_the_table(status: Status) -> None:
    settled = None if status == Status.PENDING else timezone.now()
    order = make_order(status=status, settled_at=settled)
    before = len(outbox_events())

    if Status.CANCELLED in TRANSITIONS[status]:
        services.cancel_order(order_id=order.pk)
        expected, events = "cancelled", 1
    else:
        with pytest.raises(NotCancellable):
            services.cancel_order(order_id=order.pk)
        expected, events = status.value, 0

    order.refresh_from_db()
    assert order.status == expected
    assert len(outbox_events()) == before + events


@pytest.mark.django_db
def test_cancel_order_twice_changes_nothing_more() -> None:
    order = make_order()
    services.cancel_order(order_id=order.pk)

    services.cancel_order(order_id=order.pk)

    assert states(order.pk) == ["pending", "cancelled"]
    assert len(outbox_events("orders.order_cancelled.v1")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("target", list(Status))
def test_only_the_table_moves_orders(target: Status) -> None:
    for status in Status:
        settled = None if status == Status.PENDING else timezone.now()
        order = make_order(status=status, settled_at=settled)

        moved = move_orders({order.pk: None}, target)

        order.refresh_from_db()
        assert bool(moved) == (target in TRANSITIONS[status])
        assert order.status == (target if moved else status)
    assert set(states_before(target)) == {one for one in Status if target in TRANSITIONS[one]}


@pytest.mark.django_db
def test_expire_takes_overdue_pending_orders_only() -> None:
    past = timezone.now() - timedelta(seconds=1)
    overdue, young = make_order(deadline=past), make_order()
    confirmed = make_order(deadline=past, status=Status.CONFIRMED, settled_at=past)

    assert services.expire_overdue_orders() == 1

    assert {one.pk: one.status for one in Order.objects.all()} == {
        overdue.pk: "expired",
        young.pk: "pending",
        confirmed.pk: "confirmed",
    }
    (event,) = outbox_events("orders.order_expired.v1")
    assert event["data"]["order_id"] == str(overdue.pk)
    assert services.expire_overdue_orders() == 0


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_expire_each_order_once() -> None:
    past = timezone.now() - timedelta(seconds=1)
    product = make_product()
    for _ in range(30):
        make_order({product.product_id: 1}, deadline=past)

    counts = at_once(*[services.expire_overdue_orders] * 4)

    assert sum(counts) + services.expire_overdue_orders() == 30
    assert len(outbox_events("orders.order_expired.v1")) == 30


@pytest.mark.django_db(transaction=True)
def test_cancel_and_expire_at_once_end_the_order_once() -> None:
    past = timezone.now() - timedelta(seconds=1)
    orders = [make_order(deadline=past) for _ in range(20)]

    def cancel_all() -> None:
        for order in orders:
            try:
                services.cancel_order(order_id=order.pk)
            except NotCancellable:
                continue

    def expire_all() -> None:
        for _ in range(20):
            services.expire_overdue_orders(at_most=1)

    assert at_once(cancel_all, expire_all, cancel_all) == [None, None, None]

    services.expire_overdue_orders()
    for order in orders:
        assert len(states(order.pk)) == 2
    ends = outbox_events("orders.order_expired.v1") + outbox_events("orders.order_cancelled.v1")
    assert sorted(one["subject"] for one in ends) == sorted(str(order.pk) for order in orders)


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
