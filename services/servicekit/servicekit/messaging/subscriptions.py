"""The queues that a consumer reads over py-amqp, and the bindings that they need."""

import logging
import time
from collections import deque
from collections.abc import Sequence

import amqp
import kombu

from servicekit.messaging import topology
from servicekit.messaging.batch import BatchOutcome
from servicekit.messaging.delivery import Delivery
from servicekit.messaging.router import Router
from servicekit.operations import metrics

logger = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
DEAD_LETTER_PREFETCH = 10


class Subscription:
    """A queue on a channel of its own, with what was prefetched from it, in order."""

    def __init__(self, connection: kombu.Connection, name: str, prefetch: int) -> None:
        self.name = name
        self.prefetched: deque[Delivery] = deque()
        self._postponed: list[tuple[float, Delivery]] = []
        self._channel: amqp.Channel = connection.channel()
        # py-amqp would decode the body by the content encoding that the message claims to have.
        self._channel.auto_decode = False
        self._channel.basic_qos(0, prefetch, False)
        self._channel.basic_consume(name, callback=self._on_message)

    def take(self, limit: int) -> list[Delivery]:
        """Remove and return the next batch of at most `limit`."""
        return [self.prefetched.popleft() for _ in range(min(limit, len(self.prefetched)))]

    def settle(self, batch: Sequence[Delivery], outcome: BatchOutcome) -> None:
        """Acknowledge what was handled of a batch; keep the rest.

        What remains is the next to be taken, what is postponed waits for its delay. Both stay
        unacknowledged, so they count for the prefetch limit and the broker sends no more than
        this process can hold.
        """
        self.prefetched.extendleft(reversed(outcome.remaining))
        now = time.monotonic()
        self._postponed += [(now + item.retry_delay_seconds, item) for item in outcome.postponed]
        waiting = [item.tag for item in self.prefetched]
        waiting += [item.tag for _due_at, item in self._postponed]
        handled = {delivery.tag for delivery in batch}.difference(waiting)
        # `multiple` acknowledges every tag up to this tag: it must not cover a delivery that still
        # waits.
        if handled and max(handled) < min(waiting, default=max(handled) + 1):
            self._channel.basic_ack(max(handled), multiple=True)
        else:
            for tag in sorted(handled):
                self._channel.basic_ack(tag)

    def resume_postponed(self) -> None:
        """Put the postponed deliveries whose delay is over back among those to handle."""
        now = time.monotonic()
        self.prefetched.extend(item for due_at, item in self._postponed if due_at <= now)
        self._postponed = [(due_at, item) for due_at, item in self._postponed if due_at > now]

    def _on_message(self, message: amqp.Message) -> None:
        self.prefetched.append(as_delivery(message))


def as_delivery(message: amqp.Message) -> Delivery:
    """Return what we read of a py-amqp message, unchanged."""
    body = message.body
    return Delivery(
        tag=message.delivery_info["delivery_tag"],
        body=body.encode("utf-8", "surrogateescape") if isinstance(body, str) else bytes(body),
        headers=dict(message.properties.get("application_headers") or {}),
        content_type=str(message.properties.get("content_type") or ""),
    )


class Subscriptions:
    """The queues of a service on one connection, opened and bound at start and every minute.

    A lost binding is silent where another queue takes the same type. Over AMQP nobody can ask
    whether a binding exists, and binding what is bound changes nothing: so it is simply repeated
    (docs/adr/0072-consumers-bind-their-own-queues.md). A missing queue does not keep the others
    from being read; `finding` says what is missing and what restores it, and is empty if nothing.
    """

    def __init__(
        self,
        connection: kombu.Connection,
        router: Router,
        names: Sequence[str],
        prefetch: int,
    ) -> None:
        self._connection = connection
        self._router = router
        self._dead_name = topology.dead_name(router.service)
        self._prefetch = {**dict.fromkeys(names, prefetch), self._dead_name: DEAD_LETTER_PREFETCH}
        self._open: dict[str, Subscription] = {}
        self._checked_at = time.monotonic()
        self.finding = ""
        self.check()

    @property
    def all(self) -> list[Subscription]:
        """Every queue that is read."""
        return list(self._open.values())

    @property
    def work(self) -> list[Subscription]:
        """The queues of events."""
        return [queue for name, queue in self._open.items() if name != self._dead_name]

    @property
    def dead(self) -> list[Subscription]:
        """The queue of what the broker gave up on; empty if it is missing."""
        return [queue for name, queue in self._open.items() if name == self._dead_name]

    def is_check_due(self, every_seconds: float) -> bool:
        """Whether the last check is at least that long ago."""
        return time.monotonic() - self._checked_at >= every_seconds

    def check(self) -> None:
        """Bind every queue of the service, and open those that are not read yet.

        The caller holds the lock of the connection's HeartbeatThread.

        Raises:
            OSError, amqp.AMQPError: the connection is dead.
        """
        self._checked_at = time.monotonic()
        findings = self._bind() | self._subscribe()
        self.finding = "; ".join(findings.values())[:1000]
        for queue, finding in findings.items():
            metrics.TOPOLOGY_ERRORS.labels(queue).inc()
            logger.error("topology is not whole", extra={"queue": queue, "finding": finding})

    def _bind(self) -> dict[str, str]:
        findings: dict[str, str] = {}
        # Not on a channel that consumes: a refusal closes it, and its deliveries would come again.
        channel = self._connection.channel()
        for exchange, queue, key in _bindings(self._router):
            try:
                channel.queue_bind(queue, exchange, key)
            except amqp.ChannelError as error:
                findings[queue] = _finding(f"{queue} is not bound to {exchange}", error)
                channel = self._connection.channel()
        channel.close()
        return findings

    def _subscribe(self) -> dict[str, str]:
        findings: dict[str, str] = {}
        for name, prefetch in self._prefetch.items():
            if name in self._open:
                continue
            try:
                self._open[name] = Subscription(self._connection, name, prefetch)
            except amqp.ChannelError as error:
                findings[name] = _finding(f"{name} cannot be read", error)
        return findings


def _bindings(router: Router) -> list[tuple[str, str, str]]:
    """Return (exchange, queue, routing key) for each handler's event type, and for retries."""
    subscribed = [
        (topology.publisher_exchange(event_type), queue, event_type)
        for queue, handlers in router.queues.items()
        for event_type in handlers
    ]
    return subscribed + topology.return_bindings(router.service, list(router.queues))


def _finding(what: str, error: amqp.ChannelError) -> str:
    return f"{what} ({error.reply_text}): `make restart` gives the broker what it lacks"
