"""Events that should not be sent: each is handled or becomes a dead letter, and none does harm."""

import dataclasses
import json

import pytest
from uuid_utils.compat import uuid7

from orders.handlers import router
from orders.models import Order
from servicekit.auth import revocations, tokens
from servicekit.models import DeadLetter, OutboxEvent
from servicekit.testing.deliver import deliver, make_delivery
from servicekit.testing.hostile_events import (
    check_what_was_kept,
    hostile_data,
    hostile_headers,
    sample_of,
)
from servicekit.testing.tokens import make_token
from tests.factories import make_order, make_product, rejected, reserved, sessions_revoked

pytestmark = pytest.mark.django_db(transaction=True)
HANDLED = [
    (queue, event_type) for queue, handlers in router.queues.items() for event_type in handlers
]


@pytest.mark.parametrize(("queue", "event_type"), HANDLED)
def test_hostile_data_is_handled_or_a_dead_letter(queue: str, event_type: str) -> None:
    sample, product = sample_of(event_type), make_product()
    for data in hostile_data(sample):
        # About an order that waits for it: else it would have no effect that could fail.
        if data.get("order_id") == sample.get("order_id") is not None:
            data["order_id"] = str(make_order({product.product_id: 1}).pk)
        if data.get("product_id") == sample.get("product_id") is not None:
            data["product_id"] = str(uuid7())
        deliver(router, queue, [make_delivery(event_type, data)])

    assert DeadLetter.objects.filter(reason="invalid_data").exists()
    check_what_was_kept()


def test_hostile_envelope_is_handled_or_a_dead_letter() -> None:
    product = make_product()
    for message in hostile_headers(reserved(uuid7())):
        order = make_order({product.product_id: 1})
        data = {**json.loads(message.body), "order_id": str(order.pk)}
        deliver(
            router, "orders.stock", [dataclasses.replace(message, body=json.dumps(data).encode())]
        )

    check_what_was_kept()
    assert Order.objects.filter(status="confirmed").exists()


def test_malformed_trace_is_not_passed_on() -> None:
    order = make_order()
    message = reserved(order.pk)
    message.headers["ce-traceparent"] = "x" * 300

    deliver(router, "orders.stock", [message])

    assert OutboxEvent.objects.get(type="orders.order_confirmed.v1").traceparent == ""


@pytest.mark.usefixtures("test_keys")
@pytest.mark.parametrize(
    "at", ["9999-12-31T23:59:59-14:00", "2999-01-01T00:00:00Z", "1999-12-31T23:59:59Z"]
)
def test_implausible_time_is_a_dead_letter_and_callers_are_served(at: str) -> None:
    """A year of 10000 is stored and cannot be read back.

    Every caller was refused for as long as the row lived.
    """
    deliver(router, "orders.users", [sessions_revoked(uuid7(), None, at)])

    assert DeadLetter.objects.get().reason == "invalid_data"
    assert not revocations.is_revoked(tokens.verified(make_token()).claims)


def test_shortages_beyond_what_an_order_holds_are_a_dead_letter() -> None:
    """Repeated in order_rejected they would exceed what an event may have.

    The order would never be decided.
    """
    order = make_order()
    message = rejected(order.pk, uuid7())
    data = json.loads(message.body)
    data["shortages"] *= 1001

    deliver(router, "orders.stock", [make_delivery(message.headers["ce-type"], data)])

    assert DeadLetter.objects.get().reason == "invalid_data"
    assert Order.objects.get().status == "pending"
