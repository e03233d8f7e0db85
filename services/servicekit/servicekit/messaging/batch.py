"""The effect of a batch of deliveries: inbox rows, handlers, dead letters, in as few transactions as their size allows."""

import logging
from collections.abc import Sequence
from itertools import accumulate, groupby

from django.db import connection, transaction

from servicekit import context
from servicekit.messaging import dead_letters, inbox
from servicekit.messaging.delivery import ID_REUSED, Delivery, Readable, Unreadable, read
from servicekit.messaging.router import Handler
from servicekit.operations import metrics

logger = logging.getLogger(__name__)

Reading = Readable | Unreadable

#: What one transaction takes at most, beside a single event: rows to write, and bytes of events. An event may ask for a thousand
#: rows, so a number of events bounds neither memory nor the time that locks are held (docs/adr/0007-batches-are-bounded-by-work.md).
MAX_ROWS = 5_000
MAX_BYTES = 512 * 1024
#: An event with more than this is heavy: the light events of a batch do not wait for it.
LIGHT_ROWS, LIGHT_BYTES = 50, 16 * 1024


def handle_batch(
    queue: str, handlers: dict[str, Handler], deliveries: Sequence[Delivery], *, lock_timeout_ms: int = 0
) -> list[Delivery]:
    """Handle the light deliveries in one transaction and then, in another, as many heavy ones as a transaction takes.

    Returns the heavy ones that are left for the next batch, so that no batch takes long. What cannot be read becomes dead letters.
    Handlers get every event of theirs that came in a row. An event that this queue has seen has no effect; if its content differs, it is
    a dead letter and an alarm.

    Raises:
        Exception: whatever a handler or the database raised; nothing of that transaction is committed.
    """
    light = _light([read(delivery, handlers) for delivery in _within(MAX_BYTES, _small(deliveries))])
    if light:
        _handle(queue, light, lock_timeout_ms)
    waiting = _without(deliveries, light)
    # The light events that did not fit wait too; decoded, events take many times their size, so no more are read than are handled.
    heavy = [read(delivery, handlers) for delivery in _within(MAX_BYTES, waiting)]
    heavy = heavy[: _fitting(_rows(heavy), MAX_ROWS)]
    if heavy:
        _handle(queue, heavy, lock_timeout_ms)
    return _without(waiting, heavy)


def _small(deliveries: Sequence[Delivery]) -> list[Delivery]:
    return [delivery for delivery in deliveries if len(delivery.body) <= LIGHT_BYTES]


def _within(limit: int, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    return deliveries[: _fitting([len(delivery.body) for delivery in deliveries], limit)]


def _light(readings: Sequence[Reading]) -> list[Reading]:
    """Keep the readings that will write few rows, as many as a transaction takes."""
    rows = _rows(readings)
    light = [reading for reading, number in zip(readings, rows, strict=True) if number <= LIGHT_ROWS]
    return light[: _fitting([number for number in rows if number <= LIGHT_ROWS], MAX_ROWS)]


def _without(deliveries: Sequence[Delivery], handled: Sequence[Reading]) -> list[Delivery]:
    gone = {id(reading.delivery) for reading in handled}
    return [delivery for delivery in deliveries if id(delivery) not in gone]


def _fitting(sizes: Sequence[int], limit: int) -> int:
    """Return how many of the sizes, from the first, are within the limit together; at least one."""
    fitting = sum(total <= limit for total in accumulate(sizes))
    return max(fitting, min(1, len(sizes)))


def _rows(readings: Sequence[Reading]) -> list[int]:
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


def _handle(queue: str, readings: Sequence[Reading], lock_timeout_ms: int) -> None:
    unreadable = [one for one in readings if isinstance(one, Unreadable)]
    readable = [one for one in readings if isinstance(one, Readable)]
    with transaction.atomic():
        if lock_timeout_ms:
            _limit_lock_waits(lock_timeout_ms)
        for one in unreadable:
            dead_letters.store(queue, one.delivery, one.reason, one.detail)
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
            dead_letters.store(queue, one.delivery, ID_REUSED, detail)


def _run(run: list[Readable]) -> None:
    envelope = run[0].received.envelope
    # A batch has many causes; what a handler publishes for one event it should name as that event's (Outgoing.causation).
    with context.handling(event_id=envelope.id, trace=envelope.traceparent):
        run[0].handler.run([one.received for one in run])


def _count(queue: str, readings: Sequence[Reading], fresh: list[Readable]) -> None:
    for event_type, run in groupby(sorted(one.handler.event_class.type for one in fresh)):
        metrics.EVENTS_HANDLED.labels(queue, event_type, "handled").inc(len(list(run)))
    repeated = sum(isinstance(one, Readable) for one in readings) - len(fresh)
    if repeated:
        metrics.EVENTS_HANDLED.labels(queue, "", "repeated").inc(repeated)
