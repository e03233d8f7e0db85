"""The effect of a batch of deliveries: inbox rows, handlers, dead letters, in as few transactions as their size allows."""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby

from django.db import connection, transaction

from servicekit import context, deadletters, inbox, metrics
from servicekit.delivery import Delivery, Readable, Unreadable, read
from servicekit.router import Handler

logger = logging.getLogger(__name__)

#: What one transaction takes at most, beside a single event: rows to write, and bytes of events. An event may ask for a thousand
#: rows, so a number of events bounds neither memory nor the time that locks are held (docs/adr/0007-batches-are-bounded-by-work.md).
MAX_ROWS = 5_000
MAX_BYTES = 512 * 1024


def handle_batch(
    queue: str, handlers: dict[str, Handler], deliveries: Sequence[Delivery], *, lock_timeout_ms: int = 0
) -> None:
    """Handle deliveries in order; what cannot be read becomes dead letters.

    Most batches are one transaction; one that would write too much is several, each whole by itself. Handlers get every event of theirs
    that came in a row. An event that this queue has seen has no effect; if its content differs, it is a dead letter and an alarm.

    Raises:
        Exception: whatever a handler or the database raised; nothing of that transaction is committed.
    """
    for portion in _portions(deliveries):
        readings = [read(delivery, handlers) for delivery in portion]
        while readings:
            size = _transaction_size(readings)
            _handle(queue, readings[:size], lock_timeout_ms)
            readings = readings[size:]


def _portions(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """Split the batch by bytes, before anything is decoded: decoded events take many times their size."""
    start = size = 0
    for index, delivery in enumerate(deliveries):
        size += len(delivery.body)
        if index > start and size > MAX_BYTES:
            yield deliveries[start:index]
            start, size = index, len(delivery.body)
    yield deliveries[start:]


def _transaction_size(readings: Sequence[Readable | Unreadable]) -> int:
    """Return how many of the readings, at least one, the next transaction takes."""
    rows = 0
    for taken, rows_of_one in enumerate(_rows(readings)):
        rows += rows_of_one
        if taken and rows > MAX_ROWS:
            return taken
    return len(readings)


def _rows(readings: Sequence[Readable | Unreadable]) -> list[int]:
    """Return how many rows each reading will write; those whose handler cannot tell count as one."""
    rows = [1] * len(readings)
    counters = {one.handler.rows for one in readings if isinstance(one, Readable) and one.handler.rows}
    for counter in counters:
        own = {
            index: one.received
            for index, one in enumerate(readings)
            if isinstance(one, Readable) and one.handler.rows is counter
        }
        for index, number in zip(own, counter(list(own.values())), strict=True):
            rows[index] = number
    return rows


def _handle(queue: str, readings: Sequence[Readable | Unreadable], lock_timeout_ms: int) -> None:
    unreadable = [one for one in readings if isinstance(one, Unreadable)]
    readable = [one for one in readings if isinstance(one, Readable)]
    with transaction.atomic():
        if lock_timeout_ms:
            _limit_lock_waits(lock_timeout_ms)
        for one in unreadable:
            deadletters.store(queue, one.delivery, one.reason, one.detail)
        fresh = _first_seen(queue, readable)
        for _, run in groupby(fresh, key=lambda one: one.handler.run):
            _run(list(run))
    _count(queue, readings, fresh)


def _limit_lock_waits(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {int(milliseconds)}")


def _first_seen(queue: str, readable: list[Readable]) -> list[Readable]:
    """Keep the first delivery of each event that is new to the queue, and judge the others."""
    first: dict[object, Readable] = {}
    repeats: list[Readable] = []
    for one in readable:
        if first.setdefault(one.received.envelope.id, one) is not one:
            repeats.append(one)
    new_ids = inbox.record(queue, [one.received.envelope for one in first.values()]) if first else set()
    repeats += [one for event_id, one in first.items() if event_id not in new_ids]
    if repeats:
        _judge_repeats(queue, repeats)
    return [one for event_id, one in first.items() if event_id in new_ids]


def _judge_repeats(queue: str, repeats: list[Readable]) -> None:
    known = inbox.recorded_hashes(queue, [one.received.envelope.id for one in repeats])
    for one in repeats:
        envelope = one.received.envelope
        if known.get(envelope.id) != inbox.payload_hash(envelope):
            logger.error(
                "event id reused with other content", extra={"queue": queue, "event_id": str(envelope.id)}
            )
            detail = f"{envelope.id} was handled before with other content"
            deadletters.store(queue, one.delivery, deadletters.ID_REUSED, detail)


def _run(run: list[Readable]) -> None:
    envelope = run[0].received.envelope
    # A batch has many causes; what a handler publishes for one event it should name as that event's (Outgoing.causation).
    with context.handling(event_id=envelope.id, trace=envelope.traceparent):
        run[0].handler.run([one.received for one in run])


def _count(queue: str, readings: Sequence[Readable | Unreadable], fresh: list[Readable]) -> None:
    for event_type, run in groupby(sorted(one.handler.event_class.type for one in fresh)):
        metrics.EVENTS_HANDLED.labels(queue, event_type, "handled").inc(len(list(run)))
    repeated = sum(isinstance(one, Readable) for one in readings) - len(fresh)
    if repeated:
        metrics.EVENTS_HANDLED.labels(queue, "", "repeated").inc(repeated)
