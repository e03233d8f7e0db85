"""The effect of a batch of deliveries: inbox rows, handlers and dead letters.

It takes as few transactions as the batch's size allows: what a transaction may take is bounded
(docs/adr/0007-batches-are-bounded-by-work.md).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from uuid import UUID

from django.db import connection, transaction

from servicekit import context
from servicekit.messaging import dead_letters, inbox
from servicekit.messaging.delivery import ID_REUSED, Decoded, Delivery, Undecodable, decode
from servicekit.messaging.router import Handler
from servicekit.operations import metrics

logger = logging.getLogger(__name__)

DecodingResult = Decoded | Undecodable

#: The most that a transaction takes, beside a single event: rows to write, and bytes of events. An
#: event may ask for a thousand rows, so a number of events would bound neither memory nor the time
#: for which locks are held.
MAX_ROWS = 5_000
MAX_BYTES = 512 * 1024
#: An event with more than this is heavy: the light events of a batch do not wait for it.
LIGHT_ROWS, LIGHT_BYTES = 50, 16 * 1024


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The deliveries of a batch that must not be acknowledged.

    `remaining` belong to the next batch; `postponed` wait in this process for a retry.
    """

    remaining: list[Delivery] = field(default_factory=list)
    postponed: list[Delivery] = field(default_factory=list)

    def __add__(self, other: "BatchOutcome") -> "BatchOutcome":
        return BatchOutcome(self.remaining + other.remaining, self.postponed + other.postponed)


def handle_batch(
    queue: str,
    handlers: dict[str, Handler],
    deliveries: Sequence[Delivery],
    *,
    lock_timeout_ms: int = 0,
) -> list[Delivery]:
    """Handle the light deliveries in a transaction, then in another as many heavy deliveries as
    fit.

    Returns the deliveries that are left for the next batch, so that no batch takes long. What
    cannot be decoded becomes a dead letter. A handler gets its consecutive events in a single call.
    An event that this queue has handled before has no effect; if its content differs, it is a dead
    letter and an alarm.

    Raises:
        Exception: whatever a handler or the database raised; nothing of that transaction is
            committed.
    """
    light = _light([decode(item, handlers) for item in _within(MAX_BYTES, _small(deliveries))])
    if light:
        _handle(queue, light, lock_timeout_ms)
    rest = _without(deliveries, light)
    # These are also the light events for which there was no room. Decoded, events take many times
    # their size in memory, so no more are decoded than may be handled.
    heavy = [decode(delivery, handlers) for delivery in _within(MAX_BYTES, rest)]
    heavy = heavy[: _fitting(_rows(heavy), MAX_ROWS)]
    if heavy:
        _handle(queue, heavy, lock_timeout_ms)
    return _without(rest, heavy)


def _small(deliveries: Sequence[Delivery]) -> list[Delivery]:
    return [delivery for delivery in deliveries if len(delivery.body) <= LIGHT_BYTES]


def _within(limit: int, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    return deliveries[: _fitting([len(delivery.body) for delivery in deliveries], limit)]


def _light(results: Sequence[DecodingResult]) -> list[DecodingResult]:
    """Keep those that will write few rows, as many as a transaction takes."""
    light = [pair for pair in zip(results, _rows(results), strict=True) if pair[1] <= LIGHT_ROWS]
    fitting = _fitting([rows for _result, rows in light], MAX_ROWS)
    return [result for result, _rows in light[:fitting]]


def _without(deliveries: Sequence[Delivery], handled: Sequence[DecodingResult]) -> list[Delivery]:
    handled_ids = {id(result.delivery) for result in handled}
    return [delivery for delivery in deliveries if id(delivery) not in handled_ids]


def _fitting(sizes: Sequence[int], limit: int) -> int:
    """Return how many of the sizes, from the first, are within the limit together.

    At least one: an event that exceeds the limit by itself must be handled, too.
    """
    fitting = sum(total <= limit for total in accumulate(sizes))
    return max(fitting, min(1, len(sizes)))


def _rows(results: Sequence[DecodingResult]) -> list[int]:
    """Return how many rows each will write; 1 where its handler does not count them."""
    rows = [1] * len(results)
    by_handler = {
        result.handler.rows
        for result in results
        if isinstance(result, Decoded) and result.handler.rows
    }
    for count_rows in by_handler:
        # One call for all events of a handler: it may have to ask the database.
        received = {
            index: result.received
            for index, result in enumerate(results)
            if isinstance(result, Decoded) and result.handler.rows is count_rows
        }
        for index, number in zip(received, count_rows(list(received.values())), strict=True):
            rows[index] = number
    return rows


def _handle(queue: str, results: Sequence[DecodingResult], lock_timeout_ms: int) -> None:
    undecodable = [result for result in results if isinstance(result, Undecodable)]
    decoded = [result for result in results if isinstance(result, Decoded)]
    # Everything commits or nothing does: an inbox row without its effect would lose the event.
    with transaction.atomic():
        if lock_timeout_ms:
            _limit_lock_waits(lock_timeout_ms)
        for result in undecodable:
            dead_letters.store(queue, result.delivery, result.reason, result.detail)
        fresh = _first_seen(queue, decoded)
        for _run, group in groupby(fresh, key=lambda event: event.handler.run):
            _run_handler(list(group))
    _count(queue, results, fresh)


def _limit_lock_waits(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {int(milliseconds)}")


def _first_seen(queue: str, decoded: list[Decoded]) -> list[Decoded]:
    """Keep the first delivery of each event that is new to the queue, and check the others."""
    first: dict[UUID, Decoded] = {}
    repeats: list[Decoded] = []
    for event in decoded:
        # A batch may hold an event twice, and to the inbox its id would be new for both.
        if first.setdefault(event.received.envelope.id, event) is not event:
            repeats.append(event)
    envelopes = [event.received.envelope for event in first.values()]
    new_ids = inbox.record(queue, envelopes) if envelopes else set()
    repeats += [event for event_id, event in first.items() if event_id not in new_ids]
    if repeats:
        _check_repeats(queue, repeats)
    return [event for event_id, event in first.items() if event_id in new_ids]


def _check_repeats(queue: str, repeats: list[Decoded]) -> None:
    """Store a dead letter for each repeat whose content is not that of the event handled before."""
    ids = [repeat.received.envelope.id for repeat in repeats]
    recorded = inbox.recorded_hashes(queue, ids)
    for repeat in repeats:
        envelope = repeat.received.envelope
        if recorded.get(envelope.id) != inbox.payload_hash(envelope):
            extra = {"queue": queue, "event_id": str(envelope.id)}
            logger.error("event id reused with other content", extra=extra)
            detail = f"{envelope.id} was handled before with other content"
            dead_letters.store(queue, repeat.delivery, ID_REUSED, detail)


def _run_handler(events: list[Decoded]) -> None:
    # The context names the first event as cause. A handler that publishes for several events names
    # the cause of each itself (outbox.Outgoing.causation).
    envelope = events[0].received.envelope
    with context.handling(event_id=envelope.id, trace=envelope.traceparent):
        events[0].handler.run([event.received for event in events])


def _count(queue: str, results: Sequence[DecodingResult], fresh: list[Decoded]) -> None:
    types = sorted(event.handler.event_class.type for event in fresh)
    for event_type, group in groupby(types):
        metrics.EVENTS_HANDLED.labels(queue, event_type, "handled").inc(len(list(group)))
    repeated = sum(isinstance(result, Decoded) for result in results) - len(fresh)
    if repeated:
        metrics.EVENTS_HANDLED.labels(queue, "", "repeated").inc(repeated)
