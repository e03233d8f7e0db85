"""Outbox rows that could never be sent as they are: listed, sent again after a repair, or discarded, each with an audit row."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from servicekit.models import OutboxAction, OutboxEvent

RETRIED, DISCARDED = "retried", "discarded"


class EventNotParked(ValueError):
    """The event is not in the outbox, or it is not parked: it was sent, is about to be, or was discarded before."""


def list_parked() -> QuerySet[OutboxEvent]:
    """Return the rows that wait for a decision, oldest first."""
    return OutboxEvent.objects.filter(parked_at__isnull=False, discarded_at__isnull=True).order_by("position")


def retry(*, positions: Sequence[int], by: str, note: str) -> int:
    """Let the relay try these rows again, after their cause was repaired; return how many.

    Raises:
        EventNotParked: one of them is not parked; none was changed.
    """
    with transaction.atomic():
        events = _parked(positions)
        _update(events, parked_at=None, not_before=None, attempts=0)
        _record(events, RETRIED, by=by, note=note)
    return len(events)


def discard(*, positions: Sequence[int], by: str, note: str) -> int:
    """Give these rows up, keeping them and who decided it; return how many. Their consumers never learn of them.

    Raises:
        EventNotParked: one of them is not parked; none was changed.
    """
    with transaction.atomic():
        events = _parked(positions)
        _update(events, discarded_at=timezone.now())
        _record(events, DISCARDED, by=by, note=note)
    return len(events)


def _parked(positions: Sequence[int]) -> list[OutboxEvent]:
    """Return the rows, locked."""
    events = list(list_parked().filter(pk__in=positions).select_for_update())
    missing = sorted(set(positions) - {event.pk for event in events})
    if missing:
        raise EventNotParked(f"not parked: {', '.join(map(str, missing))}. `outbox list` shows what is.")
    return events


def _update(events: Sequence[OutboxEvent], **values: object) -> None:
    OutboxEvent.objects.filter(pk__in=[event.pk for event in events]).update(**values)


def _record(events: Sequence[OutboxEvent], action: str, *, by: str, note: str) -> None:
    now = timezone.now()
    OutboxAction.objects.bulk_create(
        OutboxAction(event=event, action=action, by=by, note=note, at=now) for event in events
    )
