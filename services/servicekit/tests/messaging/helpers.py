"""Puts messages into queues and events into the outbox, and looks what became of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.utils import timezone

from servicekit.messaging import topology
from servicekit.messaging.publisher import Message, Publisher
from servicekit.messaging.relay import Relay
from servicekit.models import OutboxEvent
from servicekit.operations import metrics
from servicekit.testing.deliver import make_delivery
from servicekit.testing.fixtures import BrokerAdmin
from tests.conftest import QUEUE
from tests.project.events import OrderPlaced


class Sender:
    """Puts raw messages into the work queue, as a producer or a stranger might."""

    def __init__(self, url: str) -> None:
        self._publisher = Publisher(url)
        self._key = 0

    def raw(self, body: bytes, *, content_type: str = "application/json", **headers: Any) -> None:
        self._key += 1
        message = Message(
            self._key, topology.redrive_name("products"), QUEUE, body, headers, content_type
        )
        assert not self._publisher.publish([message]).refused

    def event(self, order_id: str, *, event_id: Any = None, **data: Any) -> None:
        delivery = make_delivery(
            OrderPlaced.type, {"order_id": order_id, **data}, event_id=event_id
        )
        self.raw(delivery.body, **delivery.headers)

    def close(self) -> None:
        self._publisher.close()


def in_broker(admin: Any, vhost: str) -> int:
    """Messages in the virtual host, ready or unacknowledged, by asking each queue itself."""
    return sum(queue.get("messages", 0) for queue in admin.call("GET", f"/queues/{vhost}"))


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"deeper": value}
    return value


def _peek() -> dict[str, object]:
    return {"count": 10_000, "ackmode": "ack_requeue_true", "encoding": "auto"}


def peek_ids(admin: BrokerAdmin, vhost: str) -> list[str]:
    messages = admin.call("POST", f"/queues/{vhost}/{QUEUE}/get", _peek())
    return [each["properties"]["headers"]["ce-subject"] for each in messages]


def message(key: int, routing_key: str = OrderPlaced.type, body: bytes = b"{}") -> Message:
    return Message(key, "orders.events", routing_key, body, {})


def add_event(event_type: str, subject: str) -> None:
    OutboxEvent.objects.create(
        id=uuid4(),
        type=event_type,
        subject=subject,
        sequence=2,
        data=b"{}",
        created_at=timezone.now(),
    )


@contextmanager
def relaying(url: str, **options: Any) -> Iterator[Relay]:
    """Run a relay in a thread for the length of the block."""
    relay = Relay(Publisher(url, confirm_timeout_seconds=1), **options)
    thread = threading.Thread(target=relay.run_in_thread)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(20)
        assert not thread.is_alive()


def all_sent() -> bool:
    return not OutboxEvent.objects.filter(sent_at__isnull=True).exists()


def relay_errors(kind: str) -> float:
    return metrics.RELAY_ERRORS.labels(
        kind
    )._value.get()  # the client has no public reader of one child
