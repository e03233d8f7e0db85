"""What operators do to outbox rows: retry, discard or publish again, each with an audit row.

A parked row can never be sent as it is; an operator retries it after a repair, or discards it.
Events that were sent are published again for a queue that was unbound, purged or lost meanwhile.
They keep their ids, so a consumer that has handled an event ignores it, and another decides by
its version or state, as for any late event (docs/events.md). The inbox must remember an event for
longer than it can be sent again: it keeps 30 days, the outbox 7 days from the last sending.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from servicekit.models import OutboxAction, OutboxEvent
from servicekit.operations import purge

RETRIED, DISCARDED, REPUBLISHED = "retried", "discarded", "republished"
#: Older events are not sent again. An event that is sent anew stays in the outbox for another
#: 7 days, could outlive its rows in the inboxes, and would then have its effect twice.
LONGEST_AGE = timedelta(days=purge.INBOX.days // 2)
BATCH = 1000


class EventNotParked(ValueError):
    """The event is not parked: it was sent, waits to be sent, was discarded, or does not exist."""


def retry(*, positions: Sequence[int], by: str, note: str) -> int:
    """Let the relay try these rows again, after a repair; return how many.

    Raises:
        EventNotParked: one of them is not parked; none was changed.
    """
    with transaction.atomic():
        events = _parked(positions)
        _update(events, parked_at=None, not_before=None, attempts=0)
        _record(events, RETRIED, by=by, note=note)
    return len(events)


def discard(*, positions: Sequence[int], by: str, note: str) -> int:
    """Give up these rows; return how many. Their consumers never receive them.

    The rows are kept for 90 days, with who decided it.

    Raises:
        EventNotParked: one of them is not parked; none was changed.
    """
    with transaction.atomic():
        events = _parked(positions)
        _update(events, discarded_at=timezone.now())
        _record(events, DISCARDED, by=by, note=note)
    return len(events)


def sent_events(*, event_type: str, since: datetime, until: datetime) -> QuerySet[OutboxEvent]:
    """Return the events of a type that may be sent again, oldest first.

    They were last sent at or after `since`, and before `until`.
    """
    return OutboxEvent.objects.filter(
        type=event_type,
        sent_at__gte=since,
        sent_at__lt=until,
        created_at__gt=timezone.now() - LONGEST_AGE,
    ).order_by("position")


def republish(*, event_type: str, since: datetime, until: datetime, by: str, note: str) -> int:
    """Let the relay send these events again, in their order; return how many.

    Each is recorded with who asked for it. It takes many transactions, so that none holds locks
    for long; if it is interrupted, it may simply be repeated.
    """
    # Otherwise the loop would find what the relay has just sent again, and never end.
    until = min(until, timezone.now())
    events = sent_events(event_type=event_type, since=since, until=until)
    total = 0
    while count := _republish_batch(events, by, note):
        total += count
    return total


def erase(*, event_type: str, subjects: Sequence[str]) -> int:
    """Delete the events of a type about these subjects, sent or not; return how many.

    For personal data that is to be forgotten. A new text under the same id would be another event:
    consumers that had the first would refuse it when it is published again.
    """
    events = OutboxEvent.objects.filter(type=event_type, subject__in=subjects)
    return events.delete()[1].get(OutboxEvent._meta.label, 0)


def _parked(positions: Sequence[int]) -> list[OutboxEvent]:
    """Return the rows, locked until the end of the transaction."""
    events = list(OutboxEvent.objects.parked().filter(pk__in=positions).select_for_update())
    missing = sorted(set(positions) - {event.pk for event in events})
    if missing:
        positions_text = ", ".join(map(str, missing))
        raise EventNotParked(f"not parked: {positions_text}. `outbox list` shows what is.")
    return events


def _update(events: Sequence[OutboxEvent], **values: object) -> None:
    OutboxEvent.objects.filter(pk__in=[event.pk for event in events]).update(**values)


def _record(events: Sequence[OutboxEvent], action: str, *, by: str, note: str) -> None:
    now = timezone.now()
    OutboxAction.objects.bulk_create(
        OutboxAction(event=event, action=action, by=by, note=note, at=now) for event in events
    )


def _republish_batch(events: QuerySet[OutboxEvent], by: str, note: str) -> int:
    with transaction.atomic():
        positions = list(events.select_for_update().values_list("pk", flat=True)[:BATCH])
        now = timezone.now()
        OutboxAction.objects.bulk_create(
            OutboxAction(event_id=position, action=REPUBLISHED, by=by, note=note, at=now)
            for position in positions
        )
        OutboxEvent.objects.filter(pk__in=positions).update(sent_at=None, not_before=None)
    return len(positions)
