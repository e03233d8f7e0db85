"""The consumer: takes what its queues hold, handles it in batches, acknowledges after the commit.

What goes wrong decides what happens (docs/events.md has the table):
database away → keep the messages and wait, no attempt is counted; deadlock → again at once; a batch that fails → one by one, so that
neighbours do not suffer; a row locked for long → the events that need it again later, no attempt is counted; unreadable → dead letter
with its reason; any other exception → again after 1, 10 and 60 seconds, then dead letter. Nothing a message contains ends the process,
and nothing it causes passes for an outage: a message whose handling ends the database connection twice is isolated too.
"""

import contextlib
import logging
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import amqp
import kombu
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db import connection as database

from servicekit import context
from servicekit.database import (
    answers,
    is_database_away,
    is_deadlock,
    is_locked,
    may_be_caused_by_statement,
    needs_new_connection,
)
from servicekit.messaging import dead_letters, topology
from servicekit.messaging.batch import handle_batch
from servicekit.messaging.delivery import DELIVERY_LIMIT, Delivery
from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.messaging.own_topology import CHECK_SECONDS, OwnTopology
from servicekit.messaging.pacing import rest_after
from servicekit.messaging.publisher import Publisher
from servicekit.messaging.retries import Retries
from servicekit.messaging.router import Router, RowsLocked
from servicekit.messaging.subscription import HeartbeatThread, Outcome, Subscription
from servicekit.operations import heartbeats

logger = logging.getLogger(__name__)

IMMEDIATE_TRIES = 5
IDLE_SECONDS = 0.5
#: What the largest prefetched events may take of a container's memory (docs/adr/0007-batches-are-bounded-by-work.md).
PREFETCH_BYTES = 32 * 1024 * 1024
#: A row is waited for this long; after a time-out, hardly at all, until the next AVOID_LOCKS_SECONDS are over.
LOCK_WAIT_MS, SHORT_LOCK_WAIT_MS = 1000, 50
AVOID_LOCKS_SECONDS = 5.0

T = TypeVar("T")
Handle = Callable[..., Outcome]


class Consumer:
    """Consumes some queues of one service until it is told to stop."""

    def __init__(
        self,
        router: Router,
        url: str,
        *,
        batch: int = 100,
        queues: Sequence[str] = (),
        publisher: Publisher | None = None,
        topology_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._router = router
        self._url = url
        self._batch = batch
        self._names = list(queues) or list(router.queues)
        self._retries = Retries(router.service, publisher or Publisher(url))
        self._topology_seconds = topology_seconds
        self._avoid_locks_until = 0.0
        self._stopping = False

    def run(self) -> None:
        """Consume until SIGTERM; wait out brokers and databases that are away. What is in hand then is finished or given back."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.run_in_thread()

    def run_in_thread(self) -> None:
        """Like `run`, without the signals: somebody else calls `stop`."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            try:
                self._consume()
            except Exception as error:
                if not isinstance(error, OSError | amqp.AMQPError | kombu.exceptions.KombuError):
                    logger.exception("consumer stumbled")  # a fault of ours: give all back, and try again
                    database.close()
                failures = 0 if time.monotonic() - started > 30 else min(failures + 1, 5)
                with contextlib.suppress(DatabaseError, InterfaceError):
                    heartbeats.beat("consumer")  # waiting for the broker is a sign of life too
                self._rest(min(0.2 * 2**failures, 5.0) * random.uniform(0.5, 1.0), error)  # noqa: S311 - jitter
        self._retries.close()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Stop after the batch in hand."""
        self._stopping = True

    def _consume(self) -> None:
        connection = topology.connect(self._url)
        pulse = HeartbeatThread(connection)
        try:
            prefetch = min(2 * self._batch, PREFETCH_BYTES // MAX_DATA_BYTES)
            with pulse.lock:
                own = OwnTopology(connection, self._router, self._names, prefetch)
            logger.info("consumer ready", extra={"queues": [queue.name for queue in own.work]})
            while not self._stopping:
                self._receive(connection, pulse, own.all)
                for queue in own.work:
                    self._process(pulse, queue, self.handle)
                for queue in own.dead:
                    self._process(pulse, queue, self._bury)
                self._housekeeping(pulse, own)
        finally:
            pulse.end()
            connection.collect(socket_timeout=1)

    def _receive(
        self, connection: kombu.Connection, pulse: HeartbeatThread, queues: list[Subscription]
    ) -> None:
        """Wait for a first delivery, then take what else is there; a batch forms by itself and is never waited for."""
        wait = 0.0 if any(queue.prefetched for queue in queues) else IDLE_SECONDS
        with pulse.lock:
            while max((len(queue.prefetched) for queue in queues), default=0) < self._batch:
                try:
                    connection.drain_events(timeout=wait)
                except TimeoutError:
                    break
                wait = 0.0
            connection.heartbeat_check()
        for queue in queues:
            queue.resume_postponed()

    def _process(self, pulse: HeartbeatThread, queue: Subscription, handle: Handle) -> None:
        """Handle one batch: what arrives meanwhile is looked at before a next one."""
        if not queue.prefetched:
            return
        started = time.monotonic()
        batch = queue.take(self._batch)
        outcome = self._retry_while_away(partial(handle, queue.name, batch))
        if outcome is not None:
            with pulse.lock:
                queue.settle(batch, outcome)
            rest_after(started, is_full=bool(queue.prefetched) or len(batch) == self._batch)

    def _retry_while_away(self, work: Callable[..., T]) -> T | None:
        """Do the work however long the database is away; None if told to stop before it is back.

        A second failure in a row puts the work itself under suspicion (see `handle`).
        """
        pause, failures = 0.1, 0
        while not self._stopping:
            try:
                return work(is_suspect=failures > 0)
            except Exception as error:
                if not is_database_away(error):
                    raise
                database.close()
                self._rest(pause, error)
                pause, failures = min(pause * 2, 2.0), failures + 1
        return None

    def handle(self, queue: str, batch: Sequence[Delivery], *, is_suspect: bool = False) -> Outcome:
        """Handle a batch; what fails in it is retried, delayed or given up on, so that it may be acknowledged.

        With `is_suspect`, an error that looks like an outage is taken for the batch's own fault if the database answers right after it.

        Raises:
            Exception: the database is away; the same batch may simply be handled again.
        """
        try:
            return Outcome(left=self._attempt(queue, batch))
        except RowsLocked as refusal:
            return self._put_off_locked(queue, batch, refusal)
        except Exception as error:
            if _is_outage(error, is_suspect=is_suspect):
                raise
            if self._is_first_lock_timeout(error):
                return self.handle(queue, batch)
            if len(batch) == 1:
                logger.warning("handler failed", extra={"queue": queue}, exc_info=error)
                return Outcome(postponed=self._retries.put_off(queue, batch, error))
            logger.warning(
                "batch failed, isolating",
                extra={"queue": queue, "size": len(batch), "error": repr(error)[:300]},
            )
            alone = (self.handle(queue, [delivery], is_suspect=is_suspect) for delivery in batch)
            return sum(alone, Outcome())

    def _attempt(self, queue: str, batch: Sequence[Delivery]) -> list[Delivery]:
        avoid_locks = time.monotonic() < self._avoid_locks_until
        # One at a time after a lock time-out, each would wait as long again.
        wait_ms = SHORT_LOCK_WAIT_MS if avoid_locks else LOCK_WAIT_MS
        token = context.avoid_locks.set(avoid_locks)
        try:
            return self._run_again_at_once(queue, batch, wait_ms)
        finally:
            context.avoid_locks.reset(token)

    def _run_again_at_once(self, queue: str, batch: Sequence[Delivery], wait_ms: int) -> list[Delivery]:
        handlers = self._router.queues[queue]
        for _ in range(IMMEDIATE_TRIES - 1):
            try:
                return handle_batch(queue, handlers, batch, lock_timeout_ms=wait_ms)
            except Exception as error:
                if not is_deadlock(error) and not self._has_new_connection(error):
                    raise
        return handle_batch(queue, handlers, batch, lock_timeout_ms=wait_ms)

    @staticmethod
    def _has_new_connection(error: Exception) -> bool:
        """Replace a session that alone was at fault; what an outage ended is waited for by `_retry_while_away`."""
        if is_database_away(error) or not needs_new_connection(error):
            return False
        database.close()
        return True

    def _is_first_lock_timeout(self, error: Exception) -> bool:
        """Whether the batch waited for a lock in vain; from then on, for a while, none waits: `context.avoid_locks`."""
        if not is_locked(error) or time.monotonic() < self._avoid_locks_until:
            return False
        self._avoid_locks_until = time.monotonic() + AVOID_LOCKS_SECONDS
        return True

    def _put_off_locked(self, queue: str, batch: Sequence[Delivery], refusal: RowsLocked) -> Outcome:
        locked = [delivery for delivery in batch if delivery.event_id in refusal.event_ids]
        if not locked:
            raise refusal
        logger.info("rows are locked", extra={"queue": queue, "events": len(locked)})
        rest = [delivery for delivery in batch if delivery.event_id not in refusal.event_ids]
        outcome = Outcome(postponed=self._retries.put_off(queue, locked, refusal))
        return outcome + self.handle(queue, rest) if rest else outcome

    def _bury(self, queue: str, batch: Sequence[Delivery], *, is_suspect: bool = False) -> Outcome:
        """Move what the broker gave up on into the table."""
        for delivery in batch:
            origin, reason = first_death(delivery.headers)
            headers = {
                name: value for name, value in delivery.headers.items() if not str(name).startswith("x-")
            }
            letter = Delivery(delivery.tag, delivery.body, headers, delivery.content_type)
            reason = reason or DELIVERY_LIMIT
            dead_letters.store(origin or queue, letter, reason, f"the broker gave up on it: {reason}")
        return Outcome()

    def _housekeeping(self, pulse: HeartbeatThread, own: OwnTopology) -> None:
        if own.is_due(self._topology_seconds):
            with pulse.lock:
                own.check()

        def work(*, is_suspect: bool) -> None:
            heartbeats.beat("consumer", own.finding)

        self._retry_while_away(work)

    def _rest(self, seconds: float, error: BaseException) -> None:
        logger.warning("consumer waits", extra={"seconds": round(seconds, 2), "error": repr(error)[:300]})
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)


def _is_outage(error: BaseException, *, is_suspect: bool) -> bool:
    if not is_database_away(error):
        return False
    return not (is_suspect and may_be_caused_by_statement(error) and answers())


def first_death(headers: Mapping[Any, Any]) -> tuple[str, str]:
    """Return queue and reason of the latest dead-lettering, as RabbitMQ's x-death header tells it; empty if it does not."""
    deaths = headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    return str(death.get("queue", "")), str(death.get("reason", ""))


def consumer_from_settings(router: Router, queues: Sequence[str]) -> Consumer:
    """Return the consumer of the service whose settings are loaded."""
    return Consumer(router, settings.BROKER_URL, batch=settings.CONSUMER_BATCH, queues=queues)
