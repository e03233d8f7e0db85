"""The relay: takes unsent outbox rows, oldest first, publishes them and marks them sent after their own confirm.

One relay of a service is active, the one that holds an advisory lock; the others stand by. Lock, look-up and marks share one
connection, so a relay that lost its lock can do nothing more. It asks for unsent rows, never for rows after a high-water mark:
positions are handed out before commit, so a late commit would be skipped.
"""

import contextlib
import logging
import random
import signal
import time
from types import FrameType
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from servicekit.database import direct_connection
from servicekit.messaging.envelope import CONTENT_TYPE, MAX_DATA_BYTES, Envelope
from servicekit.messaging.held_types import HeldTypes
from servicekit.messaging.pacing import rest_after
from servicekit.messaging.publisher import ChannelRefused, Message, Outcome, Publisher, PublishingFailed
from servicekit.messaging.topology import exchange_name
from servicekit.operations import heartbeats, metrics

logger = logging.getLogger(__name__)

LOCK = 0x50_55_4B  # any number: the lock is per database, and each service has its own
#: What one window holds at most beside a single event; an event may have 256 KiB, and a relay's container 160 MB.
WINDOW_BYTES = 4 * 1024 * 1024
#: The adaptive poll (docs/adr/0002-relay-polls.md): after work look again soon, then ever less often.
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGER_EACH_TIME = 0.002, 0.010, 1.05
FULL_LOOK_SECONDS = 1.0

TAKE_LOCK = "SELECT pg_try_advisory_lock(%s)"
# The window ends with the row that passes the limit of bytes; octet_length reads no large value.
UNSENT = """
    SELECT position, id, type, subject, sequence, data, traceparent, causation, created_at FROM (
        SELECT *, sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS bytes_before FROM (
            SELECT * FROM outbox
            WHERE sent_at IS NULL AND parked_at IS NULL AND position >= %s AND type <> ALL(%s)
                AND (not_before IS NULL OR not_before <= clock_timestamp())
            ORDER BY position LIMIT %s
        ) AS oldest
    ) AS measured WHERE bytes_before < %s ORDER BY position
"""
MARK_SENT = "UPDATE outbox SET sent_at = clock_timestamp() WHERE position = ANY(%s)"
# The reason is for people. Only an event that closes the channel by itself has a time of its own to wait for.
MARK_REFUSED = """
    UPDATE outbox SET attempts = attempts + 1, last_error = %s,
        not_before = CASE WHEN %s THEN clock_timestamp() + least(power(2, attempts), 60) * interval '1 second' END
    WHERE position = %s
"""
PARK = "UPDATE outbox SET attempts = attempts + 1, last_error = %s, parked_at = clock_timestamp() WHERE position = %s"


class Start:
    """Where to look for unsent rows: from the start of the table once a second, else from what was sent a second ago.

    Sent rows that a snapshot still sees (a backup's, say) stay in the index of unsent rows, and a look from the start reads them all.
    A row whose transaction commits late lies among rows that were sent before it: the quick looks reach back a second or two, the full
    look finds every other.
    """

    def __init__(self) -> None:
        self._highest_sent = self._highest_at_full_look = self._from = 0
        self._full_look_at = 0.0

    def position(self) -> int:
        """Return the lowest position to look at."""
        now = time.monotonic()
        if now < self._full_look_at:
            return self._from
        self._from, self._highest_at_full_look = self._highest_at_full_look, self._highest_sent
        self._full_look_at = now + FULL_LOOK_SECONDS
        return 0

    def note_sent(self, positions: list[int]) -> None:
        """Remember how far rows were sent."""
        self._highest_sent = max(self._highest_sent, *positions)

    def look_everywhere(self) -> None:
        """Let the next look be a full one: more may be waiting than the last one held."""
        self._full_look_at = 0.0


class Relay:
    """Publishes one service's outbox until it is told to stop."""

    def __init__(self, publisher: Publisher, *, batch: int = 500) -> None:
        self._publisher = publisher
        self._batch = batch
        self._window = batch
        self._held = HeldTypes()
        self.start = Start()
        self._database: psycopg.Connection[Any] | None = None
        self._failures = 0
        self._stopping = False

    def run(self) -> None:
        """Relay until SIGTERM; wait out databases and brokers that are away."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        self.run_in_thread()

    def run_in_thread(self) -> None:
        """Like `run`, without the signals: somebody else calls `stop`."""
        while not self._stopping:
            try:
                self._lead()
            except (psycopg.Error, DatabaseError, InterfaceError, PublishingFailed) as error:
                self._back_off(error)
        self.close()
        connection.close()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Stop after the window in hand."""
        self._stopping = True

    def close(self) -> None:
        """Drop both connections, and with the database's the lock."""
        self._publisher.close()
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(psycopg.Error):
                database.close()

    def step(self) -> int:
        """Publish one window of what is there; return how many rows were sent.

        Raises:
            PublishingFailed: the broker is away; every row is still unsent.
        """
        start = self.start.position()
        rows = self._unsent(start)
        if not rows:
            return 0
        if start == 0 and self._is_full(rows):
            self.start.look_everywhere()
        messages, hopeless = _messages(list(self._held.with_probes(rows, [row[2] for row in rows])))
        for position, reason in hopeless.items():
            self._park(position, reason)
        outcome = self._publish(messages) if messages else Outcome([], {})
        self._hold_refused(messages, outcome)
        if outcome.confirmed:
            self.execute(MARK_SENT, [outcome.confirmed])
            self.start.note_sent(outcome.confirmed)
            metrics.EVENTS_PUBLISHED.inc(len(outcome.confirmed))
            self._failures = 0
            self._window = min(self._window * 2, self._batch)
        return len(outcome.confirmed)

    def _is_full(self, rows: list[tuple[Any, ...]]) -> bool:
        return len(rows) >= self._window or sum(len(row[5]) for row in rows) >= WINDOW_BYTES

    def _unsent(self, start: int) -> list[tuple[Any, ...]]:
        parameters = [start, self._held.resting(), self._window, WINDOW_BYTES]
        return self.execute(UNSENT, parameters, binary=True).fetchall()

    def _hold_refused(self, messages: list[Message], outcome: Outcome) -> None:
        """Let the types of refused events rest, and release those of which an event was taken."""
        refused: dict[str, int] = {}
        for message in messages:
            if message.key in outcome.refused:
                refused.setdefault(message.routing_key, message.key)
        for event_type, position in refused.items():
            self._held.refuse(event_type)
            self._refuse(position, outcome.refused[position], waits_alone=False)
        taken = {message.routing_key for message in messages} - refused.keys()
        if self._held.accept(taken):
            self.start.look_everywhere()

    def _publish(self, messages: list[Message]) -> Outcome:
        """Publish a window. The broker closes the channel over some messages without saying which: those it meets alone."""
        try:
            return self._publisher.publish(messages)
        except ChannelRefused as error:
            self._window = 1
            self.start.look_everywhere()
            if len(messages) == 1:
                self._refuse(messages[0].key, str(error), waits_alone=True)
            raise

    def execute(self, statement: str, parameters: list[Any], *, binary: bool = False) -> psycopg.Cursor[Any]:
        """Run a statement; `binary` for data, which would come as text of twice its size."""
        if self._database is None:
            self._database = direct_connection()
        return self._database.execute(statement, parameters, binary=binary)

    def _lead(self) -> None:
        """Take the lock, and relay for as long as its connection lives."""
        while not self._stopping and not self.execute(TAKE_LOCK, [LOCK]).fetchone()[0]:  # type: ignore[index]
            heartbeats.beat("relay")
            self._rest(1.0)
        logger.info("relay leads")
        pause = SHORTEST_PAUSE_SECONDS
        tidy_at = 0.0
        while not self._stopping:
            if time.monotonic() >= tidy_at:
                self._housekeeping()
                tidy_at = time.monotonic() + 1.0
            started = time.monotonic()
            sent = self.step()
            if sent:
                rest_after(started, is_full=sent >= self._window)
                pause = SHORTEST_PAUSE_SECONDS
            else:
                time.sleep(pause)
                pause = min(pause * LONGER_EACH_TIME, LONGEST_PAUSE_SECONDS)

    def _refuse(self, position: int, reason: str, *, waits_alone: bool) -> None:
        """Note why a row did not leave; it will be tried again for as long as it takes."""
        self.execute(MARK_REFUSED, [reason[:2000], waits_alone, position])
        metrics.RELAY_ERRORS.labels("refused").inc()
        logger.error("event not published", extra={"position": position, "reason": reason})

    def _park(self, position: int, reason: str) -> None:
        """Set aside a row that can never be sent as it is, until somebody looks at it (`manage.py outbox`)."""
        self.execute(PARK, [reason[:2000], position])
        metrics.RELAY_ERRORS.labels("parked").inc()
        logger.error("event parked", extra={"position": position, "reason": reason})

    def _housekeeping(self) -> None:
        heartbeats.beat("relay")
        self._publisher.tick()

    def _back_off(self, error: Exception) -> None:
        metrics.RELAY_ERRORS.labels("broker" if isinstance(error, PublishingFailed) else "database").inc()
        pause = min(0.2 * 2**self._failures, 5.0) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._failures = min(self._failures + 1, 5)
        logger.warning("relay waits", extra={"seconds": round(pause, 2), "error": str(error)[:300]})
        self.close()
        with contextlib.suppress(DatabaseError, InterfaceError, psycopg.Error):
            heartbeats.beat("relay")  # waiting for the broker is a sign of life too
        connection.close()
        self._rest(pause)

    def _rest(self, seconds: float) -> None:
        """Sleep in short steps, so that SIGTERM is obeyed at once."""
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)


def _messages(rows: list[tuple[Any, ...]]) -> tuple[list[Message], dict[int, str]]:
    """Return what can be published, and why the other rows never can."""
    messages: list[Message] = []
    hopeless: dict[int, str] = {}
    for row in rows:
        if len(row[5]) > MAX_DATA_BYTES:
            hopeless[row[0]] = f"larger than {MAX_DATA_BYTES} bytes"
            continue
        try:
            messages.append(_message(row))
        except Exception as error:  # whatever is wrong with one row, the others leave
            hopeless[row[0]] = f"no valid event: {type(error).__name__}: {error}"
    return messages, hopeless


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
