"""A broker in memory for fast tests, and RabbitMQ behind the same few calls; tests/test_broker_fake.py holds both to one contract.

The fake carries bytes through py-amqp's own encoding of headers, so what the wire would change or refuse shows here too.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from amqp.serialization import dumps, loads

from servicekit.messaging.delivery import Delivery
from servicekit.messaging.publisher import Message, Outcome, Publisher
from servicekit.messaging.subscription import as_delivery
from servicekit.messaging.topology import (
    RETRY_DELAYS,
    UNSUBSCRIBED,
    Topology,
    connect,
    dead_name,
    dead_queue_arguments,
    redrive_name,
    retry_name,
    retry_queue_arguments,
    work_queue_arguments,
)


class TestBroker(Protocol):
    """What a test does with a broker: publish as the relay does, take and settle deliveries as the consumer does."""

    __test__: ClassVar[bool] = False

    def publish(self, messages: Sequence[Message]) -> Outcome: ...
    def take(self, queue: str, limit: int = 1000) -> list[Delivery]: ...
    def ack_through(self, tag: int) -> None: ...
    def give_back(self) -> None: ...
    def reject(self, tag: int) -> None: ...
    def limit(self, queue: str, length: int) -> None: ...
    def pass_time(self, seconds: float) -> None: ...


@dataclass
class _Held:
    body: bytes
    headers: bytes
    content_type: str
    routing_key: str
    leaves_at: float | None = None
    returns: int = 0


@dataclass
class _Queue:
    arguments: dict[str, Any]
    messages: deque[_Held] = field(default_factory=deque)
    unacknowledged: dict[int, _Held] = field(default_factory=dict)


class MemoryBroker:
    """Souk's topology in memory. Time stands still until `pass_time` moves it. It can stand in for a Publisher."""

    def __init__(self, topology: Topology) -> None:
        self._now = 0.0
        self._tags = itertools.count(1)
        self._bindings: dict[tuple[str, str | None], list[str]] = {}
        self._queues: dict[str, _Queue] = {}
        self._declare(topology)

    def publish(self, messages: Sequence[Message]) -> Outcome:
        """Route each message; refuse what no queue takes and what a full queue would have to take."""
        refused: dict[Any, str] = {}
        for message in messages:
            headers = dumps("F", [message.headers])
            held = _Held(message.body, headers, message.content_type, message.routing_key)
            reason = self._route(message.exchange, held)
            if reason:
                refused[message.key] = reason
        return Outcome([one.key for one in messages if one.key not in refused], refused)

    def tick(self) -> None:
        """Do nothing, as a healthy connection would."""

    def close(self) -> None:
        """Do nothing: what is in the queues stays."""

    def take(self, queue: str, limit: int = 1000) -> list[Delivery]:
        """Deliver what is there, oldest first; it stays unacknowledged."""
        place = self._queues[queue]
        taken: list[Delivery] = []
        while place.messages and len(taken) < limit:
            held, tag = place.messages.popleft(), next(self._tags)
            place.unacknowledged[tag] = held
            headers = {**_table(held.headers), "x-delivery-count": held.returns}
            taken.append(Delivery(tag, held.body, headers, held.content_type))
        return taken

    def ack_through(self, tag: int) -> None:
        """Acknowledge this delivery and all before it."""
        for place in self._queues.values():
            for one in [one for one in place.unacknowledged if one <= tag]:
                del place.unacknowledged[one]

    def give_back(self) -> None:
        """Return everything unacknowledged, as a lost connection does; what came back too often is dead."""
        for name, place in self._queues.items():
            returned = list(place.unacknowledged.values())
            place.unacknowledged.clear()
            for held in reversed(returned):
                held.returns += 1
                if held.returns > place.arguments.get("x-delivery-limit", 1_000_000):
                    self._bury(name, held, "delivery_limit")
                else:
                    place.messages.appendleft(held)

    def reject(self, tag: int) -> None:
        """Refuse a delivery for good."""
        for name, place in self._queues.items():
            held = place.unacknowledged.pop(tag, None)
            if held:
                self._bury(name, held, "rejected")

    def limit(self, queue: str, length: int) -> None:
        """Let the queue hold no more than `length` messages."""
        self._queues[queue].arguments["x-max-length"] = length

    def pass_time(self, seconds: float) -> None:
        """Move time, and with it the messages whose delay is over."""
        self._now += seconds
        for place in self._queues.values():
            while place.messages and (place.messages[0].leaves_at or self._now + 1) <= self._now:
                held = place.messages.popleft()
                held.leaves_at = None
                self._route(place.arguments["x-dead-letter-exchange"], held)

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

    def _route(self, exchange: str, held: _Held) -> str:
        fanout = self._bindings.get((exchange, None), [])
        places = [self._queues[name] for name in self._bindings.get((exchange, held.routing_key), fanout)]
        if not places:
            return f"no queue takes {held.routing_key} from {exchange}: is the binding missing?"
        if any(len(one.messages) >= one.arguments.get("x-max-length", 1_000_000) for one in places):
            return "the broker refused it: the queue is full or unavailable"
        for place in places:
            ttl = place.arguments.get("x-message-ttl")
            leaves_at = None if ttl is None else self._now + ttl / 1000
            place.messages.append(
                _Held(held.body, held.headers, held.content_type, held.routing_key, leaves_at)
            )
        return ""

    def _bury(self, queue: str, held: _Held, reason: str) -> None:
        headers = _table(held.headers)
        headers["x-death"] = [{"queue": queue, "reason": reason}, *headers.get("x-death", [])]
        held.headers = dumps("F", [headers])
        self._route(self._queues[queue].arguments["x-dead-letter-exchange"], held)


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
        limit = {"pattern": f"^{queue}$", "definition": {"max-length": length}, "apply-to": "queues"}
        self._admin.call("PUT", f"/policies/{self._vhost}/limit", limit)

    def pass_time(self, seconds: float) -> None:
        """RabbitMQ has a clock of its own: callers wait for what they expect."""

    def close(self) -> None:
        self._publisher.close()
        self._connection.collect(socket_timeout=1)
