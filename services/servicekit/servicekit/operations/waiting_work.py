"""What waits in a service's database, asked in one place for readiness and for the metrics."""

from dataclasses import dataclass

from django.db.models import F
from django.db.models.functions import Now

from servicekit.models import DeadLetter, Mail, OutboxEvent
from servicekit.operations.metrics import Gauge


@dataclass(frozen=True, slots=True)
class UnsentEvent:
    """The oldest unsent event: its age, and why the broker refused it, if it did."""

    age_seconds: float
    last_error: str


def oldest_unsent_event() -> UnsentEvent | None:
    """Return the oldest event that is neither sent nor parked.

    It reads a single row, by the index of unsent rows: readiness is asked every few seconds and
    must stay cheap while a million events wait.
    """
    events = OutboxEvent.objects.unsent().annotate(age=Now() - F("created_at"))
    row = events.values_list("age", "last_error").first()
    return UnsentEvent(row[0].total_seconds(), row[1]) if row else None


def parked_events() -> int:
    """Return how many events wait for an operator."""
    return OutboxEvent.objects.parked().count()


def waiting_dead_letters() -> int:
    """Return how many dead letters wait for an operator."""
    return DeadLetter.objects.filter(state=DeadLetter.State.WAITING).count()


def waiting_mails() -> int:
    """Return how many mails are to be sent."""
    return Mail.objects.filter(claimed_at__isnull=True).count()


def gauges() -> list[Gauge]:
    """Return the kit's gauges (servicekit.operations.metrics.DatabaseGauges)."""
    oldest = oldest_unsent_event()
    age_seconds = oldest.age_seconds if oldest else 0.0
    unsent = OutboxEvent.objects.unsent().count()
    return [
        Gauge("souk_outbox_unsent", "Events not yet published", unsent),
        Gauge("souk_outbox_oldest_age_seconds", "Age of the oldest unpublished event", age_seconds),
        Gauge("souk_outbox_parked", "Events that wait for a person", parked_events()),
        Gauge("souk_dead_letters_waiting", "Dead letters to look at", waiting_dead_letters()),
        Gauge("souk_mails_waiting", "Mails not yet sent", waiting_mails()),
    ]
