"""Events that nobody should send: each is handled or becomes a dead letter, and does no harm."""

import dataclasses
import json

import pytest
from uuid_utils.compat import uuid7

from products.handlers import router
from products.models import Product
from servicekit.models import DeadLetter, OutboxEvent
from servicekit.testing.deliver import deliver, make_delivery
from servicekit.testing.hostile_events import (
    check_what_was_kept,
    hostile_data,
    hostile_headers,
    sample_of,
)
from tests.factories import make_product, placed

pytestmark = pytest.mark.django_db(transaction=True)
HANDLED = [
    (queue, event_type) for queue, handlers in router.queues.items() for event_type in handlers
]


@pytest.mark.parametrize(("queue", "event_type"), HANDLED)
def test_hostile_data_is_handled_or_a_dead_letter(queue: str, event_type: str) -> None:
    sample = sample_of(event_type)
    for line in sample.get("lines", []):
        line["product_id"] = str(make_product(stock=1_000_000_000).pk)
    for data in hostile_data(sample):
        if data.get("order_id") == sample.get("order_id") is not None:
            data["order_id"] = str(uuid7())
        deliver(router, queue, [make_delivery(event_type, data)])

    assert DeadLetter.objects.filter(reason="invalid_data").exists()
    check_what_was_kept()


def test_hostile_envelope_is_handled_or_a_dead_letter() -> None:
    product = make_product(stock=1000)
    for message in hostile_headers(placed({product.pk: 1})):
        data = {**json.loads(message.body), "order_id": str(uuid7())}
        deliver(
            router,
            "products.orders",
            [dataclasses.replace(message, body=json.dumps(data).encode())],
        )

    check_what_was_kept()
    assert Product.objects.get().stock < 1000


@pytest.mark.parametrize("count", [3, 1001])
def test_order_beyond_what_can_be_answered_is_a_dead_letter(count: int) -> None:
    """More units of one product than any column holds; more lines than an answer could name."""
    product = make_product(stock=5)
    message = placed([(product.pk, 1_000_000_000 if count == 3 else 1)] * count)

    deliver(router, "products.orders", [message])

    assert DeadLetter.objects.get().reason == "invalid_data"
    assert not OutboxEvent.objects.filter(type__startswith="products.stock").exists()
