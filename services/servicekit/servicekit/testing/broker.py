"""A broker in memory for fast tests, and RabbitMQ behind the same calls.

tests/messaging/test_broker_fake.py holds both to the same contract. The fake carries headers
through py-amqp's own encoding, so what the wire would change or refuse shows here too.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from amqp.serialization import dumps, loads

from servicekit.messaging.connection import connect
from servicekit.messaging.delivery import Delivery
from servicekit.messaging.publisher import Message, Outcome, Publisher
from servicekit.messaging.subscriptions import as_delivery
from servicekit.messaging.topology import (
    RETRY_DELAYS,
    UNSUBSCRIBED,
    Topology,
    dead_name,
    dead_queue_arguments,
    redrive_name,
    retry_name,
    retry_queue_arguments,
    work_queue_arguments,
)


class TestBroker(Protocol):
    """What a test does with a broker.

    It publishes as the relay does, and takes and settles deliveries as the consumer does.
    """

    __test__: ClassVar[bool] = False

    def publish(self, messages: Sequence[Message]) -> Outcome: ...
    def take(self, queue: str, limit: int = 1000) -> list[Delivery]: ...
    def ack_through(self, tag: int) -> None: ...
    def give_back(self) -> None: ...
    def reject(self, tag: int) -> None: ...
    def limit(self, queue: str, length: int) -> None: ...
    def pass_time(self, seconds: float) -> None: ...


@dataclass
class _Stored:
    body: bytes
    headers: bytes
    content_type: str
    routing_key: str
    expires_at: float | None = None
    returns: int = 0


@dataclass
class _Queue:
    arguments: dict[str, Any]
    messages: deque[_Stored] = field(default_factory=deque)
    unacknowledged: dict[int, _Stored] = field(default_factory=dict)

    @property
    def max_length(self) -> int:
        return int(self.arguments.get("x-max-length", 1_000_000))


class MemoryBroker:
    """Souk's topology in memory; it can replace a Publisher.

    Its time stands still until `pass_time` moves it.
    """

    def __init__(self, topology: Topology) -> None:
        self._now = 0.0
        self._tags = itertools.count(1)
        self._bindings: dict[tuple[str, str | None], list[str]] = {}
        self._queues: dict[str, _Queue] = {}
        self._declare(topology)

    def publish(self, messages: Sequence[Message]) -> Outcome:
        """Route each message; refuse what no queue takes, and what a full queue would take."""
        refused: dict[Any, str] = {}
        for message in messages:
            headers = dumps("F", [message.headers])
            stored = _Stored(message.body, headers, message.content_type, message.routing_key)
            reason = self._route(message.exchange, stored)
            if reason:
                refused[message.key] = reason
        confirmed = [message.key for message in messages if message.key not in refused]
        return Outcome(confirmed, refused)

    def keep_alive(self) -> None:
        """Do nothing, as a healthy connection would."""

    def close(self) -> None:
        """Do nothing: what is in the queues stays."""

    def take(self, queue: str, limit: int = 1000) -> list[Delivery]:
        """Deliver what is there, oldest first; it stays unacknowledged."""
        place = self._queues[queue]
        taken: list[Delivery] = []
        while place.messages and len(taken) < limit:
            stored, tag = place.messages.popleft(), next(self._tags)
            place.unacknowledged[tag] = stored
            headers = {**_table(stored.headers), "x-delivery-count": stored.returns}
            taken.append(Delivery(tag, stored.body, headers, stored.content_type))
        return taken

    def ack_through(self, tag: int) -> None:
        """Acknowledge this delivery and all before it."""
        for queue in self._queues.values():
            for acknowledged in [each for each in queue.unacknowledged if each <= tag]:
                del queue.unacknowledged[acknowledged]

    def give_back(self) -> None:
        """Return everything unacknowledged, as a lost connection does.

        What came back more often than the delivery limit allows is dead-lettered.
        """
        for name, queue in self._queues.items():
            returned = list(queue.unacknowledged.values())
            queue.unacknowledged.clear()
            for stored in reversed(returned):
                stored.returns += 1
                if stored.returns > queue.arguments.get("x-delivery-limit", 1_000_000):
                    self._dead_letter(name, stored, "delivery_limit")
                else:
                    queue.messages.appendleft(stored)

    def reject(self, tag: int) -> None:
        """Refuse a delivery for good."""
        for name, queue in self._queues.items():
            stored = queue.unacknowledged.pop(tag, None)
            if stored:
                self._dead_letter(name, stored, "rejected")

    def limit(self, queue: str, length: int) -> None:
        """Let the queue hold no more than `length` messages."""
        self._queues[queue].arguments["x-max-length"] = length

    def pass_time(self, seconds: float) -> None:
        """Move time, and with it the messages whose delay is over."""
        self._now += seconds
        for queue in self._queues.values():
            while queue.messages and (queue.messages[0].expires_at or self._now + 1) <= self._now:
                stored = queue.messages.popleft()
                stored.expires_at = None
                self._route(queue.arguments["x-dead-letter-exchange"], stored)

    def _declare(self, topology: Topology) -> None:
        self._queues[UNSUBSCRIBED] = _Queue({})
        for service, queues in topology.queues.items():
            for queue in queues:
                self._queues[queue] = _Queue(work_queue_arguments(service))
                self._bind(redrive_name(service), queue, queue)
            for delay in RETRY_DELAYS:
                name = retry_name(service, delay)
                self._queues[name] = _Queue(retry_queue_arguments(service, delay))
                self._bind(name, None, name)
            self._queues[dead_name(service)] = _Queue(dead_queue_arguments())
            self._bind(dead_name(service), None, dead_name(service))
        for exchange, queue, key in topology.bindings():
            self._bind(exchange, key, queue)

    def _bind(self, exchange: str, key: str | None, queue: str) -> None:
        self._bindings.setdefault((exchange, key), []).append(queue)

    def _route(self, exchange: str, stored: _Stored) -> str:
        """Put the message into every queue that is bound to its key; return why not, if so."""
        fanout = self._bindings.get((exchange, None), [])
        names = self._bindings.get((exchange, stored.routing_key), fanout)
        queues = [self._queues[name] for name in names]
        if not queues:
            return f"no queue takes {stored.routing_key} from {exchange}: is the binding missing?"
        if any(len(queue.messages) >= queue.max_length for queue in queues):
            return "the broker refused it: the queue is full or unavailable"
        for queue in queues:
            ttl = queue.arguments.get("x-message-ttl")
            expires_at = None if ttl is None else self._now + ttl / 1000
            queue.messages.append(replace(stored, expires_at=expires_at, returns=0))
        return ""

    def _dead_letter(self, queue: str, stored: _Stored, reason: str) -> None:
        headers = _table(stored.headers)
        headers["x-death"] = [{"queue": queue, "reason": reason}, *headers.get("x-death", [])]
        stored.headers = dumps("F", [headers])
        self._route(self._queues[queue].arguments["x-dead-letter-exchange"], stored)


def _table(encoded: bytes) -> dict[str, Any]:
    table: dict[str, Any] = loads("F", encoded, 0)[0][0]
    return table


class RealBroker:
    """RabbitMQ through the same calls. `admin` is the plugin's BrokerAdmin."""

    def __init__(self, url: str, admin: Any, vhost: str) -> None:
        self._publisher = Publisher(url)
        self._url, self._admin, self._vhost = url, admin, vhost
        self._connection = connect(url)
        self._channel = self._connection.channel()

    def publish(self, messages: Sequence[Message]) -> Outcome:
        return self._publisher.publish(messages)

    def take(self, queue: str, limit: int = 1000) -> list[Delivery]:
        self._channel.auto_decode = False
        taken: list[Delivery] = []
        while len(taken) < limit:
            message = self._channel.basic_get(queue)
            if message is None:
                break
            taken.append(as_delivery(message))
        return taken

    def ack_through(self, tag: int) -> None:
        self._channel.basic_ack(tag, multiple=True)

    def give_back(self) -> None:
        self._channel.close()
        self._channel = self._connection.channel()

    def reject(self, tag: int) -> None:
        self._channel.basic_reject(tag, requeue=False)

    def limit(self, queue: str, length: int) -> None:
        definition = {"max-length": length}
        limit = {"pattern": f"^{queue}$", "definition": definition, "apply-to": "queues"}
        self._admin.call("PUT", f"/policies/{self._vhost}/limit", limit)

    def pass_time(self, seconds: float) -> None:
        """Do nothing: RabbitMQ has a clock of its own, and callers wait for what they expect."""

    def close(self) -> None:
        self._publisher.close()
        self._connection.collect(socket_timeout=1)
