"""When a consumer rests between its batches (docs/adr/0006-pause-after-a-partial-batch.md)."""

import threading
import time
from itertools import pairwise
from typing import Any

import pytest
from django.db import connections

from servicekit.messaging import topology
from servicekit.messaging.consumer import Consumer
from servicekit.messaging.publisher import Message, Publisher
from servicekit.messaging.router import Received, Router
from servicekit.testing.deliver import make_delivery
from servicekit.testing.waiting import wait_until
from tests.project.consumed import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)

QUIET, BUSY = "products.orders", "products.sales"
BATCH = 10


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in order: the queue of each batch, and "rest" for each time that it sleeps."""
    diary: list[str] = []
    sleep = time.sleep

    def note(seconds: float) -> None:
        if threading.current_thread().name == "consumer":
            diary.append("rest")
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", note)
    return diary


def send(publisher: Publisher, queue: str, count: int) -> None:
    messages = []
    for number in range(count):
        made = make_delivery(OrderPlaced.type, {"order_id": str(number)})
        exchange = topology.redrive_name("products")
        messages.append(Message(number, exchange, queue, made.body, made.headers))
    assert not publisher.publish(messages).refused


def test_consumer_does_not_rest_for_a_queue_while_another_is_full(
    broker_url: str, diary: list[str]
) -> None:
    publisher, router = Publisher(broker_url), Router("products")

    @router.handles_batch(QUIET, OrderPlaced)
    def on_quiet(_received: list[Received[Any]]) -> None:
        diary.append(QUIET)

    @router.handles_batch(BUSY, OrderPlaced)
    def on_busy(_received: list[Received[Any]]) -> None:
        diary.append(BUSY)
        send(publisher, QUIET, 1)

    send(publisher, BUSY, 40 * BATCH)
    consumer = Consumer(router, broker_url, batch=BATCH, queues=[QUIET, BUSY])

    def consume() -> None:
        consumer.run_in_thread()
        connections.close_all()

    thread = threading.Thread(target=consume, name="consumer")
    thread.start()
    wait_until(lambda: diary.count(QUIET) >= 1 and diary.count(BUSY) >= 40, timeout_seconds=60)
    consumer.stop()
    thread.join(20)
    publisher.close()

    # A batch of the quiet queue is never full: by itself it is always followed by a rest.
    assert (QUIET, BUSY) in pairwise(diary)
