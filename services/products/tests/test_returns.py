"""Units that come back: each once, whatever is repeated, late or at once."""

import random
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from uuid_utils.compat import uuid7

from products.events import OrderReturned
from products.handlers import router
from products.models import Product, StockAlert, StockMovement
from servicekit.messaging.delivery import Delivery
from servicekit.models import InboxEvent
from servicekit.testing.deliver import deliver, make_delivery, outbox_events
from servicekit.testing.races import at_once
from tests.factories import make_product

QUEUE = "products.returns"


def returned(
    *lines: tuple[UUID, int], order_id: UUID | None = None, return_id: UUID | None = None
) -> Delivery:
    data = {
        "order_id": str(order_id or uuid7()),
        "user_id": str(uuid7()),
        "number": "1000017",
        "return_id": str(return_id or uuid7()),
        "lines": [{"product_id": str(product), "quantity": units} for product, units in lines],
    }
    return make_delivery(OrderReturned.type, data)


def stock_of(product: Product) -> tuple[int, int]:
    """The stock, and what its ledger adds up to."""
    product.refresh_from_db()
    rows = StockMovement.objects.filter(product=product).values_list("quantity", flat=True)
    return product.stock, sum(rows)


@pytest.mark.django_db(transaction=True)
def test_returned_units_are_for_sale_again_once() -> None:
    first, second = make_product(stock=5), make_product(stock=0)
    order_id, return_id = uuid7(), uuid7()
    event = returned((first.pk, 2), (second.pk, 1), order_id=order_id, return_id=return_id)
    told = outbox_events()

    deliver(router, QUEUE, [event], times=2)

    assert (stock_of(first), stock_of(second)) == ((7, 7), (1, 1))
    rows = StockMovement.objects.filter(kind="return").order_by("quantity")
    assert [(row.order_id, row.return_id, row.quantity) for row in rows] == [
        (order_id, return_id, 1),
        (order_id, return_id, 2),
    ]
    assert outbox_events() == told


@pytest.mark.django_db(transaction=True)
def test_return_that_the_inbox_has_forgotten_changes_nothing() -> None:
    """The same return in another event: published anew, or after the inbox was purged."""
    product, return_id, order_id = make_product(stock=5), uuid7(), uuid7()
    event = returned((product.pk, 2), return_id=return_id, order_id=order_id)
    deliver(router, QUEUE, [event])
    InboxEvent.objects.all().delete()

    deliver(router, QUEUE, [event])
    again = [returned((product.pk, 2), return_id=return_id, order_id=order_id) for _ in range(2)]
    deliver(router, QUEUE, again)

    assert stock_of(product) == (7, 7)


@pytest.mark.django_db(transaction=True)
def test_order_that_comes_back_in_parts_comes_back_whole() -> None:
    product, order_id = make_product(stock=5), uuid7()

    deliver(router, QUEUE, [returned((product.pk, 1), order_id=order_id) for _ in range(3)])

    assert stock_of(product) == (8, 8)


@pytest.mark.django_db(transaction=True)
def test_returns_at_once_in_any_sequence_add_up() -> None:
    products = [make_product(stock=1) for _ in range(6)]
    events = [returned(*((each.pk, 1) for each in products)) for _ in range(12)]

    def handle() -> None:
        mixed = events.copy()
        random.shuffle(mixed)
        deliver(router, QUEUE, mixed)

    assert at_once(handle, handle, handle) == [None] * 3
    assert [stock_of(product) for product in products] == [(13, 13)] * 6


@pytest.mark.django_db(transaction=True)
def test_return_ends_a_low_stock_and_a_strange_product_is_left_out() -> None:
    product = make_product(stock=1, low_stock_threshold=2)
    assert StockAlert.objects.get().closed_at is None

    deliver(router, QUEUE, [returned((product.pk, 4), (uuid7(), 3))])

    assert stock_of(product) == (5, 5)
    assert StockAlert.objects.get().closed_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "order_id", "return_id"),
    [
        ("return", None, uuid7()),
        ("return", uuid7(), None),
        ("release", uuid7(), uuid7()),
        ("adjustment", None, uuid7()),
    ],
)
def test_ledger_refuses_a_movement_that_does_not_say_for_what(
    kind: str, order_id: UUID | None, return_id: UUID | None
) -> None:
    product = make_product(stock=1)

    with pytest.raises(IntegrityError), transaction.atomic():
        StockMovement.objects.create(
            product=product, kind=kind, quantity=1, order_id=order_id, return_id=return_id
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM stock_movement WHERE kind = %s", [kind])
        assert cursor.fetchone() == (0,)
