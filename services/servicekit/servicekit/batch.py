"""The effect of a batch of deliveries: inbox rows, handlers, dead letters, in one transaction."""

import logging
from collections.abc import Sequence
from itertools import groupby

from django.db import transaction

from servicekit import context, deadletters, inbox, metrics
from servicekit.delivery import Delivery, Readable, Unreadable, read
from servicekit.router import Handler

logger = logging.getLogger(__name__)


def handle_batch(queue: str, handlers: dict[str, Handler], deliveries: Sequence[Delivery]) -> None:
    """Handle deliveries in order, all or none; what cannot be read becomes dead letters.

    Handlers get every event of one type that came in a row. An event that this queue has seen has no effect; if its content
    differs, it is a dead letter and an alarm.

    Raises:
        Exception: whatever a handler or the database raised; nothing of the batch is committed.
    """
    readings = [read(delivery, handlers) for delivery in deliveries]
    unreadable = [one for one in readings if isinstance(one, Unreadable)]
    readable = [one for one in readings if isinstance(one, Readable)]
    with transaction.atomic():
        for one in unreadable:
            deadletters.store(queue, one.delivery, one.reason, one.detail)
        fresh = _first_seen(queue, readable)
        for _, run in groupby(fresh, key=lambda one: one.handler.event_class.type):
            _run(list(run))
    _count(queue, readings, fresh)


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
