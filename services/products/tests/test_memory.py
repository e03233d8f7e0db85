"""Relay and consumer stay within the memory of their containers, whatever customers order."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from products.models import Reservation
from servicekit.messaging import topology
from servicekit.messaging.consumer import PREFETCH_BYTES
from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.messaging.publisher import Message, Publisher
from servicekit.models import OutboxEvent
from servicekit.testing.processes import container_memory_mib, peak_memory_mib, running_process
from servicekit.testing.waiting import wait_until
from tests.factories import cancelled, placed
from tests.test_large_batches import QUEUE, products

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("products")]
LIMIT_MIB = container_memory_mib("small")
#: More than a consumer prefetches of the largest. Those that are decided write thousands of rows
#: each; the others came too late, and are as large while they wait.
ORDERS, DECIDED = 2 + PREFETCH_BYTES // MAX_DATA_BYTES, 24
__all__ = ["products"]


def send(url: str, messages: list[Any]) -> None:
    publisher = Publisher(url)
    for start in range(0, len(messages), 20):
        window = [
            Message(number, topology.redrive_name("products"), QUEUE, message.body, message.headers)
            for number, message in enumerate(messages[start : start + 20])
        ]
        assert not publisher.publish(window).refused
    publisher.close()


def decided(status: str) -> int:
    return Reservation.objects.filter(status=status).count()


def test_consumer_takes_and_rejects_and_gives_back_the_largest_orders(
    broker_url: str, products: list[Any]
) -> None:
    orders = [uuid4() for _ in range(ORDERS)]
    name = "x" * 120  # with it an order is an event of about 256 KiB
    messages = [
        placed(
            dict.fromkeys(products, 1 if number % 2 else 1_000_000),
            order_id,
            deadline=timezone.now() + timedelta(minutes=15 if number < DECIDED else -1),
            name=name,
        )
        for number, order_id in enumerate(orders)
    ]
    send(broker_url, messages)

    with running_process("manage.py", "consume") as consumer:
        wait_until(lambda: Reservation.objects.count() == ORDERS, timeout_seconds=300)
        assert (decided("reserved"), decided("rejected")) == (DECIDED // 2, DECIDED // 2)
        send(broker_url, [cancelled(order_id) for order_id in orders])
        wait_until(lambda: decided("released") == DECIDED // 2, timeout_seconds=300)
        peak = peak_memory_mib(consumer.pid)

    assert peak < LIMIT_MIB


def test_relay_publishes_a_backlog_of_the_largest_events(broker_url: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO outbox (id, type, subject, sequence, data, traceparent, created_at,
                attempts, last_error)
            SELECT gen_random_uuid(), 'products.stock_reserved.v1', 'x', 1, convert_to(repeat('x',
                %s), 'UTF8'), '', now(), 0, ''
            FROM generate_series(1, 500)""",
            [MAX_DATA_BYTES],
        )

    with running_process("manage.py", "relay") as relay:
        wait_until(
            lambda: not OutboxEvent.objects.filter(sent_at=None).exists(), timeout_seconds=300
        )
        peak = peak_memory_mib(relay.pid)

    assert peak < LIMIT_MIB
