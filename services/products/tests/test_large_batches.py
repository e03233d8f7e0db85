"""Batches of the largest orders: their cost is bounded, and they delay no other order for long."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from django.db.models import Sum
from uuid_utils.compat import uuid7

from products.handlers import router
from products.models import Product, Reservation, StockMovement
from servicekit.database import direct_connection
from servicekit.messaging import batch
from servicekit.messaging.batch import BatchOutcome
from servicekit.messaging.delivery import Delivery
from servicekit.messaging.processing import BatchProcessor
from servicekit.messaging.publisher import Publisher
from servicekit.testing.deliver import deliver, outbox_events
from tests.factories import cancelled, make_product, placed

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "products.orders"
#: orders.models.MAX_LINES: what the API takes in one order.
MAX_LINES = 1000
#: 12 of the largest orders would need more than the 65,535 parameters of a statement.
ORDERS = 12
NO_BROKER = Publisher("amqp://127.0.0.1:1/")


@pytest.fixture
def products() -> list[UUID]:
    rows = [
        Product(slug=f"p-{n}", name=f"P {n}", price=Decimal("1.00"), currency="GBP", stock=10_000)
        for n in range(MAX_LINES)
    ]
    return [row.pk for row in Product.objects.bulk_create(rows)]


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of deliveries in each transaction of a batch."""
    sizes: list[int] = []
    handle = batch._handle

    def count(queue: str, readings: Sequence[object], lock_timeout_ms: int) -> None:
        sizes.append(len(readings))
        handle(queue, readings, lock_timeout_ms)  # type: ignore[arg-type]

    monkeypatch.setattr(batch, "_handle", count)
    return sizes


def handle(messages: Sequence[Delivery]) -> None:
    """Handle them as the consumer does: what a batch leaves is taken first in the next."""
    processor = BatchProcessor(router, NO_BROKER)
    waiting = list(messages)
    while waiting:
        outcome = processor.handle(QUEUE, waiting[:100])
        assert outcome.postponed == []
        waiting = outcome.remaining + waiting[100:]


def test_largest_orders_are_reserved_rejected_and_released_within_bounds(
    products: list[UUID], transactions: list[int]
) -> None:
    wanted = [uuid7() for _ in range(ORDERS)]
    too_many = [uuid7() for _ in range(ORDERS)]
    innocent, order_id = make_product(stock=1), uuid7()

    handle(
        [placed(dict.fromkeys(products, 2), order) for order in wanted]
        + [placed(dict.fromkeys(products, 1_000_000), order) for order in too_many]
        + [placed({innocent.pk: 1}, order_id)]
    )

    assert Reservation.objects.filter(status="reserved").count() == ORDERS + 1
    assert Reservation.objects.filter(status="rejected").count() == ORDERS
    assert max(transactions) <= batch.MAX_ROWS / MAX_LINES
    transactions.clear()

    handle([cancelled(order) for order in [*wanted, *too_many]])

    assert Reservation.objects.filter(status="released").count() == ORDERS
    # Those that were rejected hold nothing and are light.
    assert transactions[0] == ORDERS
    assert max(transactions[1:]) <= batch.MAX_ROWS / MAX_LINES
    assert set(Product.objects.filter(pk__in=products).values_list("stock", flat=True)) == {10_000}
    assert StockMovement.objects.filter(product__in=products).aggregate(n=Sum("quantity"))["n"] == 0
    assert len(outbox_events("products.stock_released.v1")) == ORDERS


def test_small_order_does_not_wait_for_the_long_ones_before_it(
    products: list[UUID], transactions: list[int]
) -> None:
    small, order_id = make_product(stock=1), uuid7()
    messages = [placed(dict.fromkeys(products, 1)) for _ in range(ORDERS)]
    messages.append(placed({small.pk: 1}, order_id))

    outcome = BatchProcessor(router, NO_BROKER).handle(QUEUE, messages)

    assert transactions[0] == 1
    assert Reservation.objects.filter(pk=order_id, status="reserved").exists()
    assert outcome.remaining == messages[transactions[1] : ORDERS]


def test_one_statement_writes_more_lines_than_it_has_parameters(
    products: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the bounds of a transaction: those may be raised one day."""
    monkeypatch.setattr(batch, "MAX_ROWS", 10**9)
    monkeypatch.setattr(batch, "MAX_BYTES", 10**9)
    orders = [uuid7() for _ in range(ORDERS)]

    deliver(router, QUEUE, [placed(dict.fromkeys(products, 1), order) for order in orders])
    deliver(router, QUEUE, [cancelled(order) for order in orders])

    assert StockMovement.objects.count() == 2 * ORDERS * MAX_LINES


def test_locked_product_holds_up_only_its_own_orders() -> None:
    """With a wait for each of its orders, the last in line was decided after minutes."""
    hot, cold = make_product(stock=1000), make_product(stock=5)
    processor = BatchProcessor(router, NO_BROKER)
    messages = [placed({hot.pk: 1}) for _ in range(99)] + [placed({cold.pk: 1})]
    messages = [replace(message, tag=tag) for tag, message in enumerate(messages)]

    with closing(direct_connection()) as other, other.transaction():
        other.execute("SELECT 1 FROM product WHERE id = %s FOR UPDATE", [hot.pk])
        postponed = processor.handle(QUEUE, messages).postponed

        assert list(Reservation.objects.values_list("lines__product_id")) == [(cold.pk,)]
        assert [(each.tag, each.attempt) for each in postponed] == [(tag, 0) for tag in range(99)]

    assert processor.handle(QUEUE, postponed) == BatchOutcome()
    assert Reservation.objects.filter(status="reserved").count() == 100
