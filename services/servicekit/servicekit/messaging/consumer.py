"""The consumer: takes what its queues hold, handles it in batches, acknowledges after the commit.

While the database is away it keeps its messages and waits; no attempt is counted. Everything else
that goes wrong with a batch is servicekit.messaging.processing's. Nothing that a message contains
ends the process, and nothing that it causes passes for an outage: a batch whose handling ends the
database connection twice is isolated, too.
"""

import contextlib
import logging
import random
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import TypeVar

import amqp
import kombu
from django.db import DatabaseError, InterfaceError
from django.db import connection as database

from servicekit.conf import kit_settings
from servicekit.database import is_database_away
from servicekit.messaging import dead_letters
from servicekit.messaging.batch import BatchOutcome
from servicekit.messaging.connection import HeartbeatThread, connect
from servicekit.messaging.delivery import Delivery
from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.messaging.pacing import pause_after_partial_batch
from servicekit.messaging.processing import BatchProcessor
from servicekit.messaging.publisher import Publisher
from servicekit.messaging.router import Router
from servicekit.messaging.subscriptions import CHECK_SECONDS, Subscription, Subscriptions
from servicekit.operations import heartbeats

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
#: A consumer that ran for longer than this is not failing over and over: it may try again at once.
STABLE_SECONDS = 30
#: What the largest prefetched events may take of a container's memory
#: (docs/adr/0007-batches-are-bounded-by-work.md).
PREFETCH_BYTES = 32 * 1024 * 1024

T = TypeVar("T")
Handle = Callable[..., BatchOutcome]


class Consumer:
    """Consumes queues of a service until it is told to stop."""

    def __init__(
        self,
        router: Router,
        url: str,
        *,
        batch: int = 100,
        queues: Sequence[str] = (),
        publisher: Publisher | None = None,
        topology_check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """Read `queues` of the router (default: all) at the broker `url`.

        `batch` is the most deliveries that are handled together. `publisher` sends retries.
        """
        self._router = router
        self._url = url
        self._batch = batch
        self._names = list(queues) or list(router.queues)
        self._processor = BatchProcessor(router, publisher or Publisher(url))
        self._topology_check_seconds = topology_check_seconds
        self._stopping = False

    def run(self) -> None:
        """Consume until SIGTERM; wait for brokers and databases that are away.

        The batch that is being handled then is finished; what was prefetched goes back.
        """
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.run_in_thread()

    def run_in_thread(self) -> None:
        """Consume until `stop` is called, without signal handlers."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            try:
                self._consume()
            except Exception as error:
                if not isinstance(error, OSError | amqp.AMQPError | kombu.exceptions.KombuError):
                    # A fault of ours. The closed connection gives everything back to the broker.
                    logger.exception("consumer failed, connecting again")
                    database.close()
                is_stable = time.monotonic() - started > STABLE_SECONDS
                failures = 0 if is_stable else min(failures + 1, 5)
                with contextlib.suppress(DatabaseError, InterfaceError):
                    # A consumer that waits for the broker is alive: a restart would mend nothing.
                    heartbeats.beat("consumer")
                jitter = random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
                self._pause(min(0.2 * 2**failures, 5.0) * jitter, error)
        self._processor.close()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Stop after the batch that is being handled."""
        self._stopping = True

    def _consume(self) -> None:
        """Connect, and consume for as long as the connection lives."""
        connection = connect(self._url)
        heartbeat_thread = HeartbeatThread(connection)
        try:
            prefetch = min(2 * self._batch, PREFETCH_BYTES // MAX_DATA_BYTES)
            with heartbeat_thread.lock:
                queues = Subscriptions(connection, self._router, self._names, prefetch)
            logger.info("consumer ready", extra={"queues": [queue.name for queue in queues.work]})
            while not self._stopping:
                self._receive(connection, heartbeat_thread, queues.all)
                self._process_all(heartbeat_thread, queues)
                self._check_topology(heartbeat_thread, queues)
                self._record_heartbeat(queues.finding)
        finally:
            heartbeat_thread.stop()
            connection.collect(socket_timeout=1)

    def _receive(
        self,
        connection: kombu.Connection,
        heartbeat_thread: HeartbeatThread,
        queues: list[Subscription],
    ) -> None:
        """Wait for a first delivery, then take what else is there.

        A batch forms by itself; waiting for it to fill would delay every event of a quiet shop.
        """
        wait = 0.0 if any(queue.prefetched for queue in queues) else IDLE_SECONDS
        with heartbeat_thread.lock:
            while max((len(queue.prefetched) for queue in queues), default=0) < self._batch:
                try:
                    connection.drain_events(timeout=wait)
                except TimeoutError:
                    break
                wait = 0.0
            connection.heartbeat_check()
        for queue in queues:
            queue.resume_postponed()

    def _process_all(self, heartbeat_thread: HeartbeatThread, queues: Subscriptions) -> None:
        """Handle a batch of each queue, and rest unless more is waiting in one of them.

        To rest for a queue while another is full would make both wait.
        """
        started = time.monotonic()
        handlers: list[tuple[Subscription, Handle]] = [
            *((queue, self._processor.handle) for queue in queues.work),
            *((queue, _store_dead_letters) for queue in queues.dead),
        ]
        are_full = [self._process(heartbeat_thread, queue, handle) for queue, handle in handlers]
        pause_after_partial_batch(started, is_full=any(are_full))

    def _process(
        self, heartbeat_thread: HeartbeatThread, queue: Subscription, handle: Handle
    ) -> bool:
        """Handle one batch of a queue, and acknowledge it; return whether more may be waiting.

        Only one: the other queues, and what arrives meanwhile, are looked at before the next.
        """
        if not queue.prefetched:
            return False
        batch = queue.take(self._batch)
        outcome = self._retry_while_unavailable(partial(handle, queue.name, batch))
        if outcome is None:
            return False  # stopped before the database was back: the batch goes back
        with heartbeat_thread.lock:
            queue.settle(batch, outcome)
        return bool(queue.prefetched) or len(batch) == self._batch

    def _retry_while_unavailable(self, work: Callable[..., T]) -> T | None:
        """Do the work, however long the database is away; None if told to stop before it is back.

        A second failure in a row makes the work itself a suspect (BatchProcessor.handle): an event
        that crashes the database server would otherwise be tried for ever.
        """
        pause, failures = 0.1, 0
        while not self._stopping:
            try:
                return work(is_suspect=failures > 0)
            except Exception as error:
                if not is_database_away(error):
                    raise
                database.close()
                self._pause(pause, error)
                pause, failures = min(pause * 2, 2.0), failures + 1
        return None

    def _check_topology(self, heartbeat_thread: HeartbeatThread, queues: Subscriptions) -> None:
        if queues.is_check_due(self._topology_check_seconds):
            with heartbeat_thread.lock:
                queues.check()

    def _record_heartbeat(self, finding: str) -> None:
        def record(*, is_suspect: bool) -> None:
            heartbeats.beat("consumer", finding)

        self._retry_while_unavailable(record)

    def _pause(self, seconds: float, error: BaseException) -> None:
        """Sleep in short steps, so that SIGTERM is obeyed at once."""
        extra = {"seconds": round(seconds, 2), "error": repr(error)[:300]}
        logger.warning("consumer waits", extra=extra)
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)


def _store_dead_letters(
    queue: str, batch: Sequence[Delivery], *, is_suspect: bool = False
) -> BatchOutcome:
    """Move what the broker gave up on into the table."""
    for delivery in batch:
        dead_letters.store_undeliverable(queue, delivery)
    return BatchOutcome()


def consumer_from_settings(router: Router, queues: Sequence[str]) -> Consumer:
    """Return the consumer of the service whose settings are loaded."""
    url, batch = kit_settings.broker_url, kit_settings.consumer_batch
    return Consumer(router, url, batch=batch, queues=queues)
