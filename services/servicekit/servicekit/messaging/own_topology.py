"""The queues and bindings that a consumer's service needs: opened and bound at start, and again each minute.

A lost binding is silent where another queue takes the same type. Over AMQP nobody can ask for a binding, and binding what is bound
changes nothing: so it is simply done again (docs/adr/0072-consumers-bind-their-own-queues.md).
"""

import logging
import time
from collections.abc import Sequence

import amqp
import kombu

from servicekit.messaging import topology
from servicekit.messaging.router import Router
from servicekit.messaging.subscription import Subscription
from servicekit.operations import metrics

logger = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
DEAD_PREFETCH = 10


class OwnTopology:
    """What one connection reads. A queue that is missing keeps nobody from reading the others.

    `finding` says what is missing and what makes it anew; it is empty when all is well.
    """

    def __init__(
        self, connection: kombu.Connection, router: Router, names: Sequence[str], prefetch: int
    ) -> None:
        self._connection = connection
        self._router = router
        self._dead_name = topology.dead_name(router.service)
        self._wanted = {**dict.fromkeys(names, prefetch), self._dead_name: DEAD_PREFETCH}
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
        """The queue of what the broker gave up on, unless it is missing."""
        return [queue for name, queue in self._open.items() if name == self._dead_name]

    def is_due(self, every_seconds: float) -> bool:
        """Whether the last check is older than that."""
        return time.monotonic() - self._checked_at >= every_seconds

    def check(self) -> None:
        """Bind every queue of the service, and read what is not read yet; hold the connection's lock.

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
        for name, prefetch in self._wanted.items():
            if name in self._open:
                continue
            try:
                self._open[name] = Subscription(self._connection, name, prefetch)
            except amqp.ChannelError as error:
                findings[name] = _finding(f"{name} cannot be read", error)
        return findings


def _bindings(router: Router) -> list[tuple[str, str, str]]:
    """Return (exchange, queue, routing key) for each subscription of the service's handlers, and for its retries."""
    subscribed = [
        (topology.exchange_name(event_type.partition(".")[0]), queue, event_type)
        for queue, handlers in router.queues.items()
        for event_type in handlers
    ]
    return subscribed + topology.plumbing(router.service, list(router.queues))


def _finding(what: str, error: amqp.ChannelError) -> str:
    return f"{what} ({error.reply_text}): `make restart` gives the broker what it lacks"
