"""Events that were sent, published again: for a queue that was unbound, purged or lost while they went by.

They keep their ids, so a consumer that has handled one does nothing, and one that has not decides by its version or state as for any
late event (docs/events.md). The inbox must remember longer than an event can be sent again: it keeps 30 days, the outbox 7 days from the
last sending.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from servicekit import purge
from servicekit.models import OutboxAction, OutboxEvent

REPUBLISHED = "republished"
#: Older events stay where they are: sent again and again, one would outlive its rows in the inboxes and have its effect twice.
LONGEST_AGE = timedelta(days=purge.INBOX.days // 2)
BATCH = 1000


def sent_events(*, event_type: str, since: datetime, until: datetime) -> QuerySet[OutboxEvent]:
    """Return the events of a type that were last sent from `since` to just before `until` and may be sent again, oldest first."""
    return OutboxEvent.objects.filter(
        type=event_type,
        sent_at__gte=since,
        sent_at__lt=until,
        created_at__gt=timezone.now() - LONGEST_AGE,
    ).order_by("position")


def republish(*, event_type: str, since: datetime, until: datetime, by: str, note: str) -> int:
    """Let the relay send these events again, in their order; return how many. Each is recorded with who asked for it.

    In many transactions: none locks for long, and one that is interrupted may simply be repeated.
    """
    until = min(until, timezone.now())  # what the relay has sent again meanwhile is not sent a third time
    total = 0
    while count := _republish_some(sent_events(event_type=event_type, since=since, until=until), by, note):
        total += count
    return total


def _republish_some(events: QuerySet[OutboxEvent], by: str, note: str) -> int:
    with transaction.atomic():
        positions = list(events.select_for_update().values_list("pk", flat=True)[:BATCH])
        now = timezone.now()
        OutboxAction.objects.bulk_create(
            OutboxAction(event_id=position, action=REPUBLISHED, by=by, note=note, at=now)
            for position in positions
        )
        OutboxEvent.objects.filter(pk__in=positions).update(sent_at=None, not_before=None)
    return len(positions)
