"""What the messaging tests share: a router that records, events in the outbox, a consumer in a
thread.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections, transaction

from servicekit.messaging import outbox
from servicekit.messaging.consumer import Consumer
from servicekit.messaging.router import Received, Router
from tests.project import consumed
from tests.project.events import OrderPlaced

QUEUE = "products.orders"


class Recorder:
    """A service whose only effect is to remember what it handled; `fail` may raise."""

    def __init__(self) -> None:
        self.handled: list[str] = []
        self.batches: list[int] = []
        self.fail: Callable[[str], None] = lambda _order_id: None
        self.router = Router("products")
        self.router.handles_batch(QUEUE, consumed.OrderPlaced)(self._handle)

    def _handle(self, received: list[Received[Any]]) -> None:
        for each in received:
            self.fail(each.event.order_id)
        transaction.on_commit(lambda: self.done([each.event.order_id for each in received]))

    def done(self, order_ids: list[str]) -> None:
        self.batches.append(len(order_ids))
        self.handled += order_ids


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def publish() -> Callable[..., None]:
    def run(*order_ids: str) -> None:
        with transaction.atomic():
            for order_id in order_ids:
                outbox.publish(OrderPlaced(order_id=order_id), subject=order_id, sequence=1)

    return run


@contextmanager
def consuming(recorder: Recorder, url: str, **options: Any) -> Iterator[Consumer]:
    """Run a consumer in a thread for the length of the block."""
    consumer = Consumer(recorder.router, url, queues=[QUEUE], **options)

    def run() -> None:
        try:
            consumer.run_in_thread()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield consumer
    finally:
        consumer.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()
