"""The relay: takes unsent outbox rows, oldest first, publishes them and marks them sent after their own confirm.

One relay of a service is active, the one that holds an advisory lock on a connection of its own; the others stand by. It asks for
unsent rows, never for rows after a high-water mark: positions are handed out before commit, so a late commit would be skipped.
"""

import logging
import random
import signal
import time
from types import FrameType
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.utils import CursorWrapper

from servicekit import heartbeats, metrics
from servicekit.broker import exchange_name
from servicekit.database import direct_connection
from servicekit.envelope import CONTENT_TYPE, MAX_DATA_BYTES, Envelope
from servicekit.publisher import Message, Outcome, Publisher, PublishingFailed

logger = logging.getLogger(__name__)

LOCK = 0x50_55_4B  # any number: the lock is per database, and each service has its own
PARK_AFTER_ATTEMPTS = 10
KEEP_SENT_DAYS = 7
#: The adaptive poll (docs/adr/0002-relay-polls.md): after work look again at once, then ever less often.
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.002, 0.010

UNSENT = """
    SELECT position, id, type, subject, sequence, data, traceparent, causation, created_at FROM outbox
    WHERE sent_at IS NULL AND parked_at IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp())
    ORDER BY position LIMIT %s
"""
MARK_SENT = "UPDATE outbox SET sent_at = clock_timestamp() WHERE position = ANY(%s)"
# A refused row waits longer each time, so that it cannot fill the window in front of the rows behind it.
MARK_REFUSED = """
    UPDATE outbox SET attempts = attempts + 1, last_error = %s,
        not_before = clock_timestamp() + least(power(2, attempts), 300) * interval '1 second',
        parked_at = CASE WHEN attempts + 1 >= %s THEN clock_timestamp() END
    WHERE position = %s RETURNING parked_at IS NOT NULL
"""
DELETE_OLD = """
    DELETE FROM outbox WHERE position IN (
        SELECT position FROM outbox WHERE sent_at < clock_timestamp() - %s * interval '1 day' LIMIT 5000)
"""


class Relay:
    """Publishes one service's outbox until it is told to stop."""

    def __init__(self, publisher: Publisher, *, batch: int = 500) -> None:
        self._publisher = publisher
        self._batch = batch
        self._stopping = False
        self._clean_at = 0.0

    def run(self) -> None:
        """Relay until SIGTERM; wait out databases and brokers that are away."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.run_in_thread()

    def run_in_thread(self) -> None:
        """Like `run`, without the signals: somebody else calls `stop`."""
        failures = 0
        while not self._stopping:
            try:
                self._lead()
                failures = 0
            except (psycopg.Error, DatabaseError, InterfaceError, PublishingFailed) as error:
                failures = self._back_off(failures, error)
        self._publisher.close()
        connection.close()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Stop after the window in hand."""
        self._stopping = True

    def step(self) -> int:
        """Publish one window of what is there; return how many rows were sent.

        Raises:
            PublishingFailed: the broker is away; every row is still unsent.
        """
        with connection.cursor() as cursor:
            cursor.execute(UNSENT, [self._batch])
            rows = cursor.fetchall()
        if not rows:
            return 0
        too_large = [row[0] for row in rows if len(row[5]) > MAX_DATA_BYTES]
        messages = [_message(row) for row in rows if len(row[5]) <= MAX_DATA_BYTES]
        outcome = self._publisher.publish(messages) if messages else Outcome([], {})
        self._record(outcome, too_large)
        return len(outcome.confirmed)

    def _lead(self) -> None:
        """Hold the lock, relay while it is held. Losing the lock's connection ends the lead: a standby may have it by then."""
        with direct_connection() as lock:
            while not self._stopping and not _take(lock):
                heartbeats.beat("relay")
                self._rest(1.0)
            logger.info("relay leads")
            pause = SHORTEST_PAUSE_SECONDS
            checked_at = time.monotonic()
            while not self._stopping:
                if time.monotonic() - checked_at > 1.0:
                    lock.execute("SELECT 1")
                    self._housekeeping()
                    checked_at = time.monotonic()
                pause = SHORTEST_PAUSE_SECONDS if self.step() else min(pause * 1.3, LONGEST_PAUSE_SECONDS)
                if pause > SHORTEST_PAUSE_SECONDS:
                    time.sleep(pause)

    def _record(self, outcome: Outcome, too_large: list[int]) -> None:
        with connection.cursor() as cursor:
            if outcome.confirmed:
                cursor.execute(MARK_SENT, [outcome.confirmed])
                metrics.EVENTS_PUBLISHED.inc(len(outcome.confirmed))
            for position, reason in outcome.refused.items():
                self._refuse(cursor, position, reason, PARK_AFTER_ATTEMPTS)
            for position in too_large:
                self._refuse(cursor, position, f"larger than {MAX_DATA_BYTES} bytes", 1)

    def _refuse(self, cursor: CursorWrapper, position: int, reason: str, limit: int) -> None:
        cursor.execute(MARK_REFUSED, [reason, limit, position])
        parked = cursor.fetchone()[0]
        metrics.RELAY_ERRORS.labels("parked" if parked else "refused").inc()
        logger.error("event not published", extra={"position": position, "reason": reason, "parked": parked})

    def _housekeeping(self) -> None:
        heartbeats.beat("relay")
        self._publisher.tick()
        if time.monotonic() >= self._clean_at:
            with connection.cursor() as cursor:
                cursor.execute(DELETE_OLD, [KEEP_SENT_DAYS])
                self._clean_at = time.monotonic() + (1 if cursor.rowcount == 5000 else 60)

    def _back_off(self, failures: int, error: Exception) -> int:
        metrics.RELAY_ERRORS.labels("broker" if isinstance(error, PublishingFailed) else "database").inc()
        pause = min(0.2 * 2**failures, 5.0) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        logger.warning("relay waits", extra={"seconds": round(pause, 2), "error": str(error)[:300]})
        connection.close()
        self._rest(pause)
        return min(failures + 1, 5)

    def _rest(self, seconds: float) -> None:
        """Sleep in short steps, so that SIGTERM is obeyed at once."""
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)


def _take(lock: psycopg.Connection[tuple[bool]]) -> bool:
    row = lock.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
    return bool(row and row[0])


def _message(row: tuple[Any, ...]) -> Message:
    position, event_id, event_type, subject, sequence, data, traceparent, causation, created_at = row
    envelope = Envelope(
        id=event_id,
        type=event_type,
        source="/" + event_type.partition(".")[0],
        subject=subject,
        sequence=sequence,
        time=created_at,
        data=bytes(data),
        traceparent=traceparent or None,
        causation=causation,
    )
    headers, body = envelope.to_amqp()
    exchange = exchange_name(event_type.partition(".")[0])
    return Message(position, exchange, event_type, body, headers, CONTENT_TYPE)


def relay_from_settings() -> Relay:
    """Return the relay of the service whose settings are loaded."""
    return Relay(Publisher(settings.BROKER_URL), batch=settings.RELAY_BATCH)
