"""RabbitMQ as Souk uses it: names, connections, and the topology as data (docs/events.md draws it).

The same topology is right on RabbitMQ 3.10 and 4.x because every limit is explicit: 3.10 has no delivery limit by itself, 4.0
has 20. Services may not configure anything: the topology comes from the definitions file (servicekit.messaging.broker_definitions). They may bind
their own queues to what the topology says, and do so again each minute (servicekit.messaging.own_topology).
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kombu
from amqp import method_framing
from amqp.basic_message import Message

#: Seconds between heartbeats; a peer that misses two is dead (rabbitmq.com/docs/heartbeats advises 5 to 20).
HEARTBEAT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5
#: How long an event waits before each new try, and the queue suffix that does it.
RETRY_DELAYS: Mapping[str, int] = {"1s": 1, "10s": 10, "60s": 60}
#: The last net under our own attempt counter: a consumer that dies redelivers all it held, so it must not be low.
DELIVERY_LIMIT = 20
#: Bounded, because an unbounded queue fills the broker's disk; beyond it publishing is refused and events wait in the outbox.
MAX_QUEUE_LENGTH = 1_000_000
UNSUBSCRIBED = "unsubscribed"


def exchange_name(service: str) -> str:
    """The topic exchange that only `service` writes to."""
    return f"{service}.events"


def retry_name(service: str, delay: str) -> str:
    """The fanout exchange and the queue in which an event of `service`'s queues waits; `delay` is a key of RETRY_DELAYS."""
    return f"{service}.retry.{delay}"


def redrive_name(service: str) -> str:
    """The direct exchange that brings a message back to the one work queue that its routing key names."""
    return f"{service}.redrive"


def dead_name(service: str) -> str:
    """The exchange and the queue for what the broker itself gives up on; the consumer moves it to the table."""
    return f"{service}.dead"


class TolerantMessage(Message):  # type: ignore[misc]
    """A message whose properties cannot be read has none, and is still a message.

    py-amqp raises in the middle of the connection's stream instead, over a timestamp in milliseconds for one: the same message
    would come back to every new connection, and no consumer would ever get past it.
    """

    def _load_properties(self, class_id: int, buf: bytes, offset: int) -> None:
        try:
            super()._load_properties(class_id, buf, offset)
        except Exception as error:  # whatever a stranger can put there
            self.properties = {"content_type": f"unreadable properties: {type(error).__name__}: {error}"}


method_framing.Message = TolerantMessage  # py-amqp has no other place to say so


def connect(url: str) -> kombu.Connection:
    """Return an established connection with a heartbeat; the caller ticks it with `heartbeat_check()`.

    Raises:
        OSError, amqp.AMQPError: the broker is away or refuses.
    """
    connection = kombu.Connection(
        url,
        heartbeat=HEARTBEAT_SECONDS,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        transport_options={
            "read_timeout": HEARTBEAT_SECONDS,
            "write_timeout": HEARTBEAT_SECONDS,
            "client_properties": {"product": "souk"},
        },
    )
    connection.connect()
    return connection


def tick(connection: kombu.Connection, wait_seconds: float = 0.0) -> None:
    """Take in what has arrived within `wait_seconds`, and send a heartbeat if one is due. py-amqp has no thread for it.

    Raises:
        OSError, amqp.AMQPError: the connection is dead.
    """
    with contextlib.suppress(TimeoutError):
        connection.drain_events(timeout=wait_seconds or 0.0005)
    connection.heartbeat_check()


def jobs_vhost(service: str) -> str:
    """The virtual host of a service's background jobs: Celery declares and publishes there as it likes."""
    return f"{service}-jobs"


@dataclass(frozen=True)
class Topology:
    """Who listens to what, read from deploy/topology.json."""

    #: service → its queues → the event types bound to each
    queues: Mapping[str, Mapping[str, list[str]]]
    #: service → the types it publishes that nobody consumes yet; they are kept in a short queue so that they are routable
    unsubscribed: Mapping[str, list[str]]
    #: services with background jobs: each has a virtual host of its own for them, where it may do anything
    jobs: frozenset[str] = frozenset()

    @classmethod
    def load(cls, path: Path) -> "Topology":
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            queues={name: service["queues"] for name, service in data.items()},
            unsubscribed={name: service.get("unsubscribed", []) for name, service in data.items()},
            jobs=frozenset(name for name, service in data.items() if service.get("jobs")),
        )

    def subscriptions(self, service: str) -> dict[str, list[str]]:
        """Return the types that a service's queues want, by the exchange they come from."""
        wanted: dict[str, list[str]] = {}
        for event_types in self.queues[service].values():
            for event_type in event_types:
                wanted.setdefault(exchange_name(event_type.partition(".")[0]), []).append(event_type)
        return wanted

    def bindings(self) -> list[tuple[str, str, str]]:
        """Return (exchange, queue, routing key) for every subscription."""
        subscribed = [
            (exchange_name(event_type.partition(".")[0]), queue, event_type)
            for queues in self.queues.values()
            for queue, event_types in queues.items()
            for event_type in event_types
        ]
        rest = [
            (exchange_name(service), UNSUBSCRIBED, event_type)
            for service, event_types in self.unsubscribed.items()
            for event_type in event_types
        ]
        return subscribed + rest


def plumbing(service: str, queues: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (exchange, queue, routing key) of what brings a service's events back: redrives, retries and dead letters."""
    return [
        *((redrive_name(service), name, name) for name in queues),
        *((retry_name(service, delay), retry_name(service, delay), "") for delay in RETRY_DELAYS),
        (dead_name(service), dead_name(service), ""),
    ]


def work_queue_arguments(service: str) -> dict[str, Any]:
    """Arguments of a work queue: replicated, bounded, and dead-lettering at least once (needs reject-publish)."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": dead_name(service),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": MAX_QUEUE_LENGTH,
    }


def retry_queue_arguments(service: str, delay: str) -> dict[str, Any]:
    """Arguments of a delay queue: what lies there for the delay goes back to the queue its routing key names."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-message-ttl": RETRY_DELAYS[delay] * 1000,
        "x-dead-letter-exchange": redrive_name(service),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": MAX_QUEUE_LENGTH,
    }


def dead_queue_arguments() -> dict[str, Any]:
    """Arguments of the queue of dead letters: nothing is dropped from it, and it is never dead-lettered itself."""
    return {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000, "x-overflow": "reject-publish"}
