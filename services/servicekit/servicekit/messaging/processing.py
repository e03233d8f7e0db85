"""Handles a batch and decides what becomes of what failed in it (docs/events.md has the table).

A deadlock is tried again at once. A batch that fails is handled one by one, so that innocent
events are not retried with the event that failed. An event that needs a locked row is retried later
without counting the attempt; any other exception is retried after 1, 10 and 60 seconds, and then
becomes a dead letter. Only an outage of the database is left to the caller, who waits.
"""

import logging
import time
from collections.abc import Sequence

from django.db import connection as database

from servicekit import context
from servicekit.database import (
    accepts_connections,
    is_database_away,
    is_deadlock,
    is_lock_timeout,
    may_be_caused_by_statement,
    needs_new_connection,
)
from servicekit.messaging import dead_letters, topology
from servicekit.messaging.batch import BatchOutcome, handle_batch
from servicekit.messaging.delivery import HANDLER_FAILED, Delivery
from servicekit.messaging.publisher import Message, Publisher, PublishingFailed
from servicekit.messaging.router import Router, RowsLocked
from servicekit.operations import metrics

logger = logging.getLogger(__name__)

IMMEDIATE_TRIES = 5
#: How long a statement waits for a locked row. After a time-out it hardly waits at all for the
#: next AVOID_LOCKS_SECONDS: isolated, each event of the batch would wait as long again.
LOCK_WAIT_MS, SHORT_LOCK_WAIT_MS = 1000, 50
AVOID_LOCKS_SECONDS = 5.0


class BatchProcessor:
    """Handles batches of a service's queues, such that they may be acknowledged afterwards."""

    def __init__(self, router: Router, publisher: Publisher) -> None:
        self._router = router
        self._publisher = publisher
        self._avoid_locks_until = 0.0

    def close(self) -> None:
        """Drop the connection over which retries are sent."""
        self._publisher.close()

    def handle(
        self, queue: str, batch: Sequence[Delivery], *, is_suspect: bool = False
    ) -> BatchOutcome:
        """Handle a batch; what fails in it is retried, delayed or stored as a dead letter.

        With `is_suspect` an error that looks like an outage is taken for the fault of the batch if
        the database answers right after it.

        Raises:
            Exception: the database is away; the same batch may simply be handled again.
        """
        try:
            return BatchOutcome(remaining=self._attempt(queue, batch))
        except RowsLocked as error:
            return self._postpone_locked(queue, batch, error)
        except Exception as error:
            if _is_outage(error, is_suspect=is_suspect):
                raise
            if self._is_first_lock_timeout(error):
                # Now the handlers name the events that need the locked rows (RowsLocked).
                return self.handle(queue, batch)
            if len(batch) == 1:
                logger.warning("handler failed", extra={"queue": queue}, exc_info=error)
                return BatchOutcome(postponed=self._schedule_retry(queue, batch, error))
            return self._isolate(queue, batch, error, is_suspect=is_suspect)

    def _attempt(self, queue: str, batch: Sequence[Delivery]) -> list[Delivery]:
        avoid_locks = time.monotonic() < self._avoid_locks_until
        wait_ms = SHORT_LOCK_WAIT_MS if avoid_locks else LOCK_WAIT_MS
        token = context.avoid_locks.set(avoid_locks)
        try:
            return self._retry_at_once(queue, batch, wait_ms)
        finally:
            context.avoid_locks.reset(token)

    def _retry_at_once(self, queue: str, batch: Sequence[Delivery], wait_ms: int) -> list[Delivery]:
        """Handle the batch, again if only a deadlock or the session was at fault."""
        handlers = self._router.queues[queue]
        for _ in range(IMMEDIATE_TRIES - 1):
            try:
                return handle_batch(queue, handlers, batch, lock_timeout_ms=wait_ms)
            except Exception as error:
                if not is_deadlock(error) and not self._has_new_connection(error):
                    raise
        # The last try is outside of the loop: its error is the batch's.
        return handle_batch(queue, handlers, batch, lock_timeout_ms=wait_ms)

    @staticmethod
    def _has_new_connection(error: Exception) -> bool:
        """Replace a session that alone was at fault; return whether it was.

        What an outage ended is left to the caller: connecting again at once would not help.
        """
        if is_database_away(error) or not needs_new_connection(error):
            return False
        database.close()
        return True

    def _isolate(
        self, queue: str, batch: Sequence[Delivery], error: Exception, *, is_suspect: bool
    ) -> BatchOutcome:
        """Handle the deliveries one by one, so that only the one at fault is retried."""
        extra = {"queue": queue, "size": len(batch), "error": repr(error)[:300]}
        logger.warning("batch failed, isolating", extra=extra)
        outcomes = (self.handle(queue, [item], is_suspect=is_suspect) for item in batch)
        return sum(outcomes, BatchOutcome())

    def _is_first_lock_timeout(self, error: Exception) -> bool:
        """Whether the batch waited for a lock in vain, which starts a time of `avoid_locks`."""
        if not is_lock_timeout(error) or time.monotonic() < self._avoid_locks_until:
            return False
        self._avoid_locks_until = time.monotonic() + AVOID_LOCKS_SECONDS
        return True

    def _postpone_locked(
        self, queue: str, batch: Sequence[Delivery], error: RowsLocked
    ) -> BatchOutcome:
        """Retry later what needs the locked rows, and handle the rest now."""
        locked = [delivery for delivery in batch if delivery.event_id in error.event_ids]
        if not locked:
            raise error  # a handler that names none of its events would make this loop for ever
        logger.info("rows are locked", extra={"queue": queue, "events": len(locked)})
        rest = [delivery for delivery in batch if delivery.event_id not in error.event_ids]
        outcome = BatchOutcome(postponed=self._schedule_retry(queue, locked, error))
        return outcome + self.handle(queue, rest) if rest else outcome

    def _schedule_retry(
        self, queue: str, deliveries: Sequence[Delivery], error: Exception
    ) -> list[Delivery]:
        """Send each delivery to its next delay queue; after the last it becomes a dead letter.

        Returns those that the broker does not take now, as they should be tried again: it is away,
        blocked by an alarm, or the delay queue is full. All others may be acknowledged, since the
        broker has confirmed their copies.

        Raises:
            DatabaseError: a dead letter could not be stored; nothing may be acknowledged.
        """
        # A lock says nothing about the event: counted, a long transaction would make dead letters.
        is_counted = not (is_lock_timeout(error) or isinstance(error, RowsLocked))
        retries = []
        for delivery in deliveries:
            if delivery.attempt < len(topology.RETRY_DELAYS):
                retries.append(delivery)
            else:
                detail = f"{type(error).__name__}: {error}"[:2000]
                dead_letters.store(queue, delivery, HANDLER_FAILED, detail)
        refused = self._refused([self._retry_message(queue, item, is_counted) for item in retries])
        metrics.EVENTS_HANDLED.labels(queue, "", "put_off").inc(len(retries) - len(refused))
        return [item.for_retry(is_counted=is_counted) for item in retries if item.tag in refused]

    def _refused(self, messages: list[Message]) -> set[int]:
        """Publish; return the keys (delivery tags) of what the broker does not take.

        It never waits for the broker: an alarm that blocks publishers ends when the queues are
        drained, which is the work of this consumer.
        """
        if not messages:
            return set()
        try:
            return set(self._publisher.publish(messages).refused)
        except PublishingFailed as error:
            logger.warning("retries wait in this process", extra={"error": str(error)[:300]})
            return {message.key for message in messages}

    def _retry_message(self, queue: str, delivery: Delivery, is_counted: bool) -> Message:
        delay = list(topology.RETRY_DELAYS)[delivery.attempt]
        exchange = topology.retry_name(self._router.service, delay)
        headers = delivery.for_retry(is_counted=is_counted).headers
        # The routing key is the queue: the delay queue's dead-letter exchange leads back there.
        return Message(delivery.tag, exchange, queue, delivery.body, headers, delivery.content_type)


def _is_outage(error: BaseException, *, is_suspect: bool) -> bool:
    """Whether to wait for the database, rather than to take the batch for the cause."""
    if not is_database_away(error):
        return False
    return not (is_suspect and may_be_caused_by_statement(error) and accepts_connections())
