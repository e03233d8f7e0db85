"""Stock is conserved: never negative or oversold, whatever is repeated, reordered or at once."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from products.errors import InsufficientStock, StockTooLarge
from products.handlers import router
from products.models import MAX_STOCK, Product, Reservation, StockMovement
from products.services.stock import adjust_stock
from servicekit.database import is_try_again
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.races import at_once
from tests.factories import cancelled, make_product, placed

QUEUE = "products.orders"
STAFF = uuid7()


def answers() -> dict[str, dict[str, Any]]:
    """What was published about orders, by order id."""
    kinds = ("stock_reserved", "stock_rejected", "stock_released")
    return {
        each["data"]["order_id"]: {"type": each["type"].split(".")[1], **each["data"]}
        for each in outbox_events()
        if each["type"].split(".")[1] in kinds
    }


# One statement for all products: a property test asks after each of hundreds of batches.
NOT_CONSERVED = """
    SELECT product.slug, stock, moved, given, held FROM product,
        LATERAL (
            SELECT coalesce(sum(quantity), 0) AS moved,
                   coalesce(sum(quantity) FILTER (WHERE kind IN ('initial', 'adjustment')), 0)
                       AS given
            FROM stock_movement WHERE product_id = product.id
        ) AS ledger,
        LATERAL (
            SELECT coalesce(sum(quantity), 0) AS held
            FROM reservation_line JOIN reservation ON order_id = reservation_id
            WHERE product_id = product.id AND status = 'reserved'
        ) AS held
    WHERE stock < 0 OR stock <> moved OR stock + held <> given
"""


def assert_conserved() -> None:
    """I1 and I3: each stock is the sum of its movements; reservations hold what is missing."""
    with connection.cursor() as cursor:
        cursor.execute(NOT_CONSERVED)
        assert cursor.fetchall() == []


@pytest.mark.django_db(transaction=True)
def test_order_takes_all_its_lines() -> None:
    first, second = make_product(stock=5), make_product(stock=5)
    message = placed({first.pk: 2, second.pk: 5})

    deliver(router, QUEUE, [message], times=2)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.stock, second.stock) == (3, 0)
    assert [each["type"] for each in answers().values()] == ["stock_reserved"]
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_order_with_one_short_line_takes_nothing_and_says_what_is_left() -> None:
    plenty, scarce = make_product(stock=5), make_product(stock=1)
    inactive, unknown = make_product(active=False), uuid7()
    message = placed({plenty.pk: 1, scarce.pk: 3, inactive.pk: 1, unknown: 1})

    deliver(router, QUEUE, [message])

    plenty.refresh_from_db()
    assert plenty.stock == 5
    (answer,) = answers().values()
    assert answer["type"] == "stock_rejected"
    reasons = {
        each["product_id"]: (each["reason"], each["available"]) for each in answer["shortages"]
    }
    assert reasons == {
        str(scarce.pk): ("insufficient_stock", 1),
        str(inactive.pk): ("inactive_product", 0),
        str(unknown): ("unknown_product", 0),
    }
    assert not StockMovement.objects.filter(kind="reservation").exists()


@pytest.mark.django_db(transaction=True)
def test_lines_of_one_product_count_together() -> None:
    product = make_product(stock=3)

    deliver(router, QUEUE, [placed([(product.pk, 2), (product.pk, 2)])])

    (answer,) = answers().values()
    assert answer["shortages"][0]["requested"] == 4
    product.refresh_from_db()
    assert product.stock == 3


@pytest.mark.django_db(transaction=True)
def test_batch_decides_its_orders_in_sequence() -> None:
    product = make_product(stock=5)
    orders = [uuid7() for _ in range(4)]
    messages = [
        placed({product.pk: quantity}, each)
        for each, quantity in zip(orders, [3, 3, 2, 1], strict=True)
    ]

    deliver(router, QUEUE, messages)

    kinds = [answers()[str(each)]["type"] for each in orders]
    assert kinds == ["stock_reserved", "stock_rejected", "stock_reserved", "stock_rejected"]
    assert answers()[str(orders[1])]["shortages"][0]["available"] == 2


@pytest.mark.django_db(transaction=True)
def test_cancel_puts_the_units_back_once() -> None:
    product, order_id = make_product(stock=5), uuid7()
    deliver(router, QUEUE, [placed({product.pk: 4}, order_id)])

    deliver(router, QUEUE, [cancelled(order_id)], times=2)
    deliver(router, QUEUE, [cancelled(order_id)])

    product.refresh_from_db()
    assert product.stock == 5
    assert [each["type"] for each in outbox_events("products.stock_released.v1")] == [
        "products.stock_released.v1"
    ]
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_cancel_that_comes_first_voids_the_order() -> None:
    product, order_id = make_product(stock=5), uuid7()

    deliver(router, QUEUE, [cancelled(order_id)])
    deliver(router, QUEUE, [placed({product.pk: 4}, order_id)])

    product.refresh_from_db()
    assert product.stock == 5
    assert Reservation.objects.get().status == "void"
    assert answers() == {}


@pytest.mark.django_db(transaction=True)
def test_place_and_cancel_in_one_batch_keep_their_order() -> None:
    product, order_id = make_product(stock=5), uuid7()

    deliver(
        router,
        QUEUE,
        [placed({product.pk: 4}, order_id), cancelled(order_id), placed({product.pk: 5})],
    )

    product.refresh_from_db()
    assert product.stock == 0
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_batch_costs_the_same_statements_whatever_its_size(django_assert_num_queries: Any) -> None:
    products = [make_product(stock=10_000) for _ in range(20)]

    def statements(count: int) -> int:
        messages = [placed({each.pk: 1 for each in products[: 1 + n % 20]}) for n in range(count)]
        with connection.execute_wrapper(counter := _Counter()):
            deliver(router, QUEUE, messages)
        return counter.statements

    assert statements(2) == statements(50) <= 12


class _Counter:
    def __init__(self) -> None:
        self.statements = 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.statements += 1
        return execute(*arguments)


def errors_of(works: Sequence[Callable[[], None]]) -> list[BaseException]:
    """Run the works in threads that start together; return what they raised."""
    return [result for result in at_once(*works) if isinstance(result, BaseException)]


def persistently(messages: list[Any]) -> Callable[[], None]:
    """Deliver as the consumer does: what the database rolled back runs again."""

    def run() -> None:
        while True:
            try:
                return deliver(router, QUEUE, messages)
            except Exception as error:
                if not is_try_again(error):
                    raise

    return run


@pytest.mark.django_db(transaction=True)
def test_last_hundred_units_go_to_exactly_a_hundred_of_five_hundred() -> None:
    product = make_product(stock=100)
    works = [persistently([placed({product.pk: 1}) for _ in range(125)]) for _ in range(4)]

    assert errors_of(works) == []

    kinds = [each["type"] for each in answers().values()]
    assert (kinds.count("stock_reserved"), kinds.count("stock_rejected")) == (100, 400)
    product.refresh_from_db()
    assert product.stock == 0
    assert_conserved()


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_opposite_product_orders_never_deadlock() -> None:
    ids: list[UUID] = [make_product(stock=10_000).pk for _ in range(6)]
    before = deadlocks()

    def work(sequence: list[UUID]) -> Callable[[], None]:
        return lambda: [
            deliver(router, QUEUE, [placed(dict.fromkeys(sequence, 1))]) for _ in range(40)
        ]  # type: ignore[return-value]

    assert (
        errors_of([work(ids), work(ids[::-1]), work(ids[::2] + ids[1::2]), work(ids[::-1])]) == []
    )

    assert deadlocks() == before
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_batches_that_take_and_give_back_crosswise_never_deadlock() -> None:
    first, second = make_product(stock=10_000), make_product(stock=10_000)
    before = deadlocks()

    def work(taken: UUID, given_back: UUID) -> Callable[[], None]:
        held = [uuid7() for _ in range(40)]
        deliver(router, QUEUE, [placed({given_back: 1}, order_id) for order_id in held])
        batches = [[placed({taken: 1}), cancelled(order_id)] for order_id in held]
        return lambda: [persistently(batch)() for batch in batches]  # type: ignore[return-value]

    pairs = [(first.pk, second.pk), (second.pk, first.pk)] * 2
    assert errors_of([work(*pair) for pair in pairs]) == []

    assert deadlocks() == before
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_order_past_its_deadline_takes_nothing_from_a_live_one() -> None:
    """Products was away beyond the deadline: the first order has expired, its event still waits."""
    product, dead, live = make_product(stock=1), uuid7(), uuid7()
    now = timezone.now()

    deliver(
        router,
        QUEUE,
        [
            placed({product.pk: 1}, dead, deadline=now - timedelta(seconds=1)),
            placed({product.pk: 1}, live, deadline=now + timedelta(minutes=15)),
        ],
    )
    deliver(router, QUEUE, [cancelled(dead)])

    assert dict(Reservation.objects.values_list("order_id", "status")) == {
        dead: "void",
        live: "reserved",
    }
    assert list(answers()) == [str(live)]
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_cancelled_order_takes_nothing_from_a_live_one_in_its_batch() -> None:
    product, dead, live = make_product(stock=1), uuid7(), uuid7()

    deliver(
        router,
        QUEUE,
        [placed({product.pk: 1}, dead), placed({product.pk: 1}, live), cancelled(dead)],
    )

    assert dict(Reservation.objects.values_list("order_id", "status")) == {
        dead: "void",
        live: "reserved",
    }
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_one_order_in_two_consumers_has_one_effect() -> None:
    product = make_product(stock=100)
    messages = [placed({product.pk: 1}) for _ in range(50)]

    assert (
        errors_of([persistently(messages), persistently(messages), persistently(messages[::-1])])
        == []
    )

    product.refresh_from_db()
    assert product.stock == 50
    assert len(outbox_events("products.stock_reserved.v1")) == 50


@pytest.mark.django_db(transaction=True)
def test_releases_at_once_release_once() -> None:
    product, order_id = make_product(stock=5), uuid7()
    deliver(router, QUEUE, [placed({product.pk: 5}, order_id)])

    assert errors_of([persistently([cancelled(order_id)]) for _ in range(6)]) == []

    product.refresh_from_db()
    assert product.stock == 5
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_adjustments_race_with_orders_and_conserve() -> None:
    product = make_product(stock=50)

    def remove() -> None:
        for _ in range(20):
            try:
                adjust_stock(product_id=product.pk, delta=-3, reason="damaged", by=STAFF)
            except InsufficientStock:
                return

    works = [persistently([placed({product.pk: 1}) for _ in range(30)]) for _ in range(2)]
    assert errors_of([*works, remove, remove]) == []

    assert_conserved()


@pytest.mark.django_db
def test_adjustment_below_zero_changes_nothing() -> None:
    product = make_product(stock=2)

    with pytest.raises(InsufficientStock) as refusal:
        adjust_stock(product_id=product.pk, delta=-3, reason="damaged", by=STAFF)

    assert refusal.value.members == {"available": 2}
    product.refresh_from_db()
    assert product.stock == 2
    assert product.movements.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("together", [True, False])
def test_full_stock_sold_and_filled_again_takes_every_release(together: bool) -> None:
    product, orders = make_product(stock=MAX_STOCK), [uuid7() for _ in range(3)]
    for order_id in orders:
        deliver(router, QUEUE, [placed({product.pk: MAX_STOCK}, order_id)])
        adjust_stock(product_id=product.pk, delta=MAX_STOCK, reason="delivery", by=STAFF)
    ends = [cancelled(order_id) for order_id in orders]

    for batch in [ends] if together else [[end] for end in ends]:
        deliver(router, QUEUE, batch)

    product.refresh_from_db()
    assert product.stock == 4 * MAX_STOCK
    assert Reservation.objects.filter(status="released").count() == 3
    assert_conserved()


@pytest.mark.django_db(transaction=True)
def test_stock_above_the_maximum_is_sold_and_removed_but_not_added_to() -> None:
    product, order_id = make_product(stock=MAX_STOCK), uuid7()
    deliver(router, QUEUE, [placed({product.pk: 10}, order_id)])
    adjust_stock(product_id=product.pk, delta=10, reason="delivery", by=STAFF)
    deliver(router, QUEUE, [cancelled(order_id)])

    with pytest.raises(StockTooLarge):
        adjust_stock(product_id=product.pk, delta=1, reason="delivery", by=STAFF)
    left = adjust_stock(product_id=product.pk, delta=-1, reason="damaged", by=STAFF)

    assert left == MAX_STOCK + 9
    deliver(router, QUEUE, [placed({product.pk: MAX_STOCK})])
    product.refresh_from_db()
    assert product.stock == 9
    assert_conserved()


@pytest.mark.django_db
def test_database_refuses_negative_stock() -> None:
    product = make_product(stock=2)

    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(pk=product.pk).update(stock=-1)


step = st.tuples(
    st.sampled_from(["place", "cancel", "again"]), st.integers(0, 9), st.integers(1, 4)
)


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(step, min_size=1, max_size=6), min_size=1, max_size=8))
def test_any_sequence_with_repeats_and_reorders_conserves(
    batches: list[list[tuple[str, int, int]]],
) -> None:
    product = make_product(stock=6)
    orders = [uuid7() for _ in range(10)]
    sent: list[Any] = []
    for batch in batches:
        messages = []
        for kind, number, quantity in batch:
            if kind == "again" and sent:
                messages.append(sent[number % len(sent)])
            elif kind == "cancel":
                messages.append(cancelled(orders[number]))
            else:
                messages.append(placed({product.pk: quantity}, orders[number]))
        sent += messages
        deliver(router, QUEUE, messages)
        assert_conserved()
