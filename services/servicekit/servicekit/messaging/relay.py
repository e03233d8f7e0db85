"""The relay: publishes unsent outbox rows, oldest first, and marks each after its own confirm.

Urgent events go first, and a bounded window of the others after each window of theirs
(servicekit.messaging.outbox_lanes).

One relay of a service is active, the one that holds an advisory lock; the others stand by. Lock,
look-up and marks share a connection, so a relay that has lost the lock can do nothing more. It asks
for unsent rows, never for rows after a high-water mark: positions are handed out before commit, so
the row of a transaction that commits late would be skipped for ever.
"""

import contextlib
import logging
import random
import signal
import time
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection

from servicekit.conf import kit_settings
from servicekit.database import direct_connection
from servicekit.messaging.envelope import CONTENT_TYPE, MAX_DATA_BYTES, Envelope
from servicekit.messaging.outbox_lanes import Lane, lanes, patient_types
from servicekit.messaging.outbox_scan import RefusedTypes
from servicekit.messaging.pacing import pause_after_partial_batch
from servicekit.messaging.publisher import (
    ChannelRefused,
    Message,
    Outcome,
    Publisher,
    PublishingFailed,
)
from servicekit.messaging.topology import publisher_exchange
from servicekit.operations import heartbeats, metrics

logger = logging.getLogger(__name__)

LOCK = 0x50_55_4B  # any number: the lock is per database, and each service has its own
#: The adaptive poll (docs/adr/0002-relay-polls.md): frequent after work, then less and less.
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.002, 0.010, 1.05
KEEP_ALIVE_SECONDS = 1.0

# Raw SQL: the statements belong to the connection that holds the lock, which is not Django's, and
# the ORM has no advisory locks.
TAKE_LOCK = "SELECT pg_try_advisory_lock(%s)"
MARK_SENT = "UPDATE outbox SET sent_at = clock_timestamp() WHERE position = ANY(%s)"
# The reason is for operators. Only an event that closes the channel by itself waits on its own.
MARK_REFUSED = """
    UPDATE outbox SET attempts = attempts + 1, last_error = %s,
        not_before = CASE WHEN %s
            THEN clock_timestamp() + least(power(2, attempts), 60) * interval '1 second' END
    WHERE position = %s
"""
PARK = """
    UPDATE outbox SET attempts = attempts + 1, last_error = %s, parked_at = clock_timestamp()
    WHERE position = %s
"""


class Relay:
    """Publishes the outbox of a service until it is told to stop."""

    def __init__(
        self, publisher: Publisher, *, batch: int = 500, patient_types: Sequence[str] = ()
    ) -> None:
        """Send windows of at most `batch` rows; rows of `patient_types` let the others go first."""
        self._publisher = publisher
        self.lanes = lanes(batch, patient_types)
        self._refused_types = RefusedTypes()
        self._database: psycopg.Connection[Any] | None = None
        self._failures = 0
        self._stopping = False

    def run(self) -> None:
        """Relay until SIGTERM; wait for databases and brokers that are away."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.run_in_thread()

    def run_in_thread(self) -> None:
        """Relay until `stop` is called, without signal handlers."""
        while not self._stopping:
            try:
                self._take_lock()
                self._relay()
            except (psycopg.Error, DatabaseError, InterfaceError, PublishingFailed) as error:
                self._back_off(error)
        self.close()
        connection.close()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Stop after the window that is being published."""
        self._stopping = True

    def close(self) -> None:
        """Drop both connections, and with that of the database the lock."""
        self._publisher.close()
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(psycopg.Error):
                database.close()

    def step(self) -> int:
        """Publish a window of each lane; return how many rows were sent.

        Raises:
            PublishingFailed: the broker is away; what was not confirmed is still unsent.
        """
        return sum(self._send_window(lane) for lane in self.lanes)

    def execute(
        self, statement: str, parameters: list[Any], *, binary: bool = False
    ) -> psycopg.Cursor[Any]:
        """Run a statement; `binary` for data, which would come as text of twice its size."""
        if self._database is None:
            self._database = direct_connection()
        return self._database.execute(statement, parameters, binary=binary)

    def _send_window(self, lane: Lane) -> int:
        rows = lane.unsent(self.execute, self._refused_types.paused())
        if not rows:
            return 0
        types = [row[2] for row in rows]
        messages, unsendable = _messages(list(self._refused_types.publishable(rows, types)))
        for position, reason in unsendable.items():
            self._park(position, reason)
        outcome = self._publish(lane, messages) if messages else Outcome([], {})
        self._pause_refused_types(lane, messages, outcome)
        if outcome.confirmed:
            self._mark_sent(lane, outcome.confirmed)
        return len(outcome.confirmed)

    def _publish(self, lane: Lane, messages: list[Message]) -> Outcome:
        """Publish a window.

        Over some messages the broker closes the channel without saying which. From then on each of
        the lane is published alone, until the event at fault is found.
        """
        try:
            return self._publisher.publish(messages)
        except ChannelRefused as error:
            lane.narrow()
            if len(messages) == 1:
                self._mark_refused(messages[0].key, str(error), is_delayed=True)
            raise

    def _mark_sent(self, lane: Lane, positions: list[int]) -> None:
        # A crash before this statement repeats the publish, which the inboxes absorb. Marked before
        # the confirm, a row could be lost.
        self.execute(MARK_SENT, [positions])
        lane.record_sent(positions)
        metrics.EVENTS_PUBLISHED.inc(len(positions))
        self._failures = 0

    def _pause_refused_types(self, lane: Lane, messages: list[Message], outcome: Outcome) -> None:
        """Pause the types of refused events, and release those of which an event was taken."""
        refused: dict[str, int] = {}
        for message in messages:
            if message.key in outcome.refused:
                refused.setdefault(message.routing_key, message.key)
        for event_type, position in refused.items():
            self._refused_types.refuse(event_type)
            self._mark_refused(position, outcome.refused[position], is_delayed=False)
        taken = {message.routing_key for message in messages} - refused.keys()
        if self._refused_types.release(taken):
            # The rows of a released type lie before what was sent meanwhile.
            lane.scan_start.request_full_scan()

    def _take_lock(self) -> None:
        """Stand by until no other relay of this service has the lock."""
        while not self._stopping:
            if self.execute(TAKE_LOCK, [LOCK]).fetchone()[0]:  # type: ignore[index]
                logger.info("relay leads")
                return
            heartbeats.beat("relay")
            self._pause(1.0)

    def _relay(self) -> None:
        """Relay for as long as the connection that holds the lock lives."""
        pause = SHORTEST_PAUSE_SECONDS
        next_keep_alive = 0.0
        while not self._stopping:
            if time.monotonic() >= next_keep_alive:
                heartbeats.beat("relay")
                self._publisher.keep_alive()
                next_keep_alive = time.monotonic() + KEEP_ALIVE_SECONDS
            started = time.monotonic()
            if self.step():
                is_full = any(lane.is_full for lane in self.lanes)
                pause_after_partial_batch(started, is_full=is_full)
                pause = SHORTEST_PAUSE_SECONDS
            else:
                time.sleep(pause)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)

    def _mark_refused(self, position: int, reason: str, *, is_delayed: bool) -> None:
        """Record why a row was not sent; it is tried again for as long as it takes."""
        self.execute(MARK_REFUSED, [reason[:2000], is_delayed, position])
        metrics.RELAY_ERRORS.labels("refused").inc()
        logger.error("event not published", extra={"position": position, "reason": reason})

    def _park(self, position: int, reason: str) -> None:
        """Set aside a row that can never be sent as it is, for an operator (`manage.py outbox`)."""
        self.execute(PARK, [reason[:2000], position])
        metrics.RELAY_ERRORS.labels("parked").inc()
        logger.error("event parked", extra={"position": position, "reason": reason})

    def _back_off(self, error: Exception) -> None:
        kind = "broker" if isinstance(error, PublishingFailed) else "database"
        metrics.RELAY_ERRORS.labels(kind).inc()
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        seconds = min(0.2 * 2**self._failures, 5.0) * jitter
        self._failures = min(self._failures + 1, 5)
        extra = {"seconds": round(seconds, 2), "error": str(error)[:300]}
        logger.warning("relay waits", extra=extra)
        self.close()
        with contextlib.suppress(DatabaseError, InterfaceError, psycopg.Error):
            # A relay that waits for the broker is alive: a restart would mend nothing.
            heartbeats.beat("relay")
        connection.close()
        self._pause(seconds)

    def _pause(self, seconds: float) -> None:
        """Sleep in short steps, so that SIGTERM is obeyed at once."""
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)


def _messages(rows: list[tuple[Any, ...]]) -> tuple[list[Message], dict[int, str]]:
    """Return what can be published, and why the other rows (by position) never can."""
    messages: list[Message] = []
    unsendable: dict[int, str] = {}
    for row in rows:
        if len(row[5]) > MAX_DATA_BYTES:
            unsendable[row[0]] = f"larger than {MAX_DATA_BYTES} bytes"
            continue
        try:
            messages.append(_message(row))
        except Exception as error:  # whatever is wrong with a row, the others must be sent
            unsendable[row[0]] = f"no valid event: {type(error).__name__}: {error}"
    return messages, unsendable


def _message(row: tuple[Any, ...]) -> Message:
    position, event_id, event_type, subject, sequence, data, traceparent, causation, created_at = (
        row
    )
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
    exchange = publisher_exchange(event_type)
    return Message(position, exchange, event_type, body, headers, CONTENT_TYPE)


def relay_from_settings() -> Relay:
    """Return the relay of the service whose settings are loaded."""
    package, _, _ = kit_settings.event_router.partition(".handlers")
    patient = patient_types(import_module(f"{package}.events"))
    publisher = Publisher(kit_settings.broker_url)
    return Relay(publisher, batch=kit_settings.relay_batch, patient_types=patient)
