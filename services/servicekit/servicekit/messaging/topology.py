"""RabbitMQ as Souk uses it: the names, and the topology as data (docs/events.md describes it).

The same topology is right on RabbitMQ 3.10 and 4.x because every limit is explicit: 3.10 has no
delivery limit by default, 4.0 has 20. Services may not declare anything: the topology comes from
the definitions file (servicekit.messaging.broker_definitions). They may bind their own queues to
what the topology says, and repeat it every minute (servicekit.messaging.subscriptions).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Seconds that an event waits before each new try, by the suffix of the queue that does it.
RETRY_DELAYS: Mapping[str, int] = {"1s": 1, "10s": 10, "60s": 60}
#: The broker's limit behind our own attempt counter. It must not be low: a consumer that dies has
#: everything delivered again that it held, innocent messages included.
DELIVERY_LIMIT = 20
#: An unbounded queue fills the broker's disk. Beyond the limit publishing is refused, and events
#: wait in the outbox.
MAX_QUEUE_LENGTH = 1_000_000
#: The short queue of event types that no service reads yet: it makes them routable.
UNSUBSCRIBED = "unsubscribed"


def exchange_name(service: str) -> str:
    """Return the name of the topic exchange that only `service` writes to."""
    return f"{service}.events"


def publisher_exchange(event_type: str) -> str:
    """Return the exchange of the service that publishes the type, such as `orders.events`."""
    return exchange_name(event_type.partition(".")[0])


def retry_name(service: str, delay: str) -> str:
    """Return the name of the fanout exchange, and of the queue, in which events of `service` wait.

    `delay` is a key of RETRY_DELAYS.
    """
    return f"{service}.retry.{delay}"


def redrive_name(service: str) -> str:
    """Return the name of the direct exchange that leads back to one work queue.

    The routing key of a message is the name of that queue.
    """
    return f"{service}.redrive"


def dead_name(service: str) -> str:
    """Return the name of the exchange, and of the queue, for what the broker itself gives up on.

    The consumer moves its messages into the table of dead letters.
    """
    return f"{service}.dead"


def jobs_vhost(service: str) -> str:
    """Return the virtual host of a service's background jobs.

    Celery declares queues as it needs them, which a service may not do beside its events.
    """
    return f"{service}-jobs"


@dataclass(frozen=True)
class Topology:
    """Which service reads which events, from deploy/topology.json."""

    #: service → its queues → the event types bound to each
    queues: Mapping[str, Mapping[str, list[str]]]
    #: service → the types that it publishes and no service reads yet (`UNSUBSCRIBED`)
    unsubscribed: Mapping[str, list[str]]
    #: services with background jobs, each with a virtual host of its own where it may do anything
    jobs: frozenset[str] = frozenset()

    @classmethod
    def load(cls, path: Path) -> "Topology":
        """Read the file."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            queues={name: service["queues"] for name, service in data.items()},
            unsubscribed={name: service.get("unsubscribed", []) for name, service in data.items()},
            jobs=frozenset(name for name, service in data.items() if service.get("jobs")),
        )

    def subscriptions(self, service: str) -> dict[str, list[str]]:
        """Return the types that a service's queues take, by the exchange they come from."""
        subscribed: dict[str, list[str]] = {}
        for event_types in self.queues[service].values():
            for event_type in event_types:
                subscribed.setdefault(publisher_exchange(event_type), []).append(event_type)
        return subscribed

    def bindings(self) -> list[tuple[str, str, str]]:
        """Return (exchange, queue, routing key) for every subscription."""
        subscribed = [
            (publisher_exchange(event_type), queue, event_type)
            for queues in self.queues.values()
            for queue, event_types in queues.items()
            for event_type in event_types
        ]
        unsubscribed = [
            (exchange_name(service), UNSUBSCRIBED, event_type)
            for service, event_types in self.unsubscribed.items()
            for event_type in event_types
        ]
        return subscribed + unsubscribed


def return_bindings(service: str, queues: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (exchange, queue, routing key) of a service's redrives, retries and dead letters."""
    return [
        *((redrive_name(service), name, name) for name in queues),
        *((retry_name(service, delay), retry_name(service, delay), "") for delay in RETRY_DELAYS),
        (dead_name(service), dead_name(service), ""),
    ]


def work_queue_arguments(service: str) -> dict[str, Any]:
    """Return the arguments of a work queue: replicated, bounded, with a dead-letter exchange.

    Dead-lettering at least once needs `reject-publish` (rabbitmq.com/docs/quorum-queues).
    """
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": dead_name(service),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": MAX_QUEUE_LENGTH,
    }


def retry_queue_arguments(service: str, delay: str) -> dict[str, Any]:
    """Return the arguments of a delay queue; a message that expires goes back to its queue."""
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
    """Return the arguments of the queue of dead letters, which drops nothing.

    The high delivery limit keeps RabbitMQ 4.x from discarding a letter after 20 deliveries.
    """
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1_000_000,
        "x-overflow": "reject-publish",
    }
