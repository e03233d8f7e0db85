"""Events out: a row in the transaction that decided them. The relay publishes it (docs/adr/0001-outbox-and-inbox.md)."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from servicekit import context
from servicekit.envelope import Envelope, PublishedEvent, new_envelope

INSERT = """
    INSERT INTO outbox (id, type, subject, sequence, data, traceparent, causation, created_at, attempts, last_error)
    SELECT id, type, subject, sequence, data, traceparent, causation, created_at, 0, ''
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::text[], %s::uuid[], %s::timestamptz[])
         WITH ORDINALITY AS e (id, type, subject, sequence, data, traceparent, causation, created_at, n)
    ORDER BY n
"""


class OutsideTransaction(RuntimeError):
    """publish() was called outside transaction.atomic(): the event could exist without its cause, or the reverse."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to publish: `subject` is the aggregate's id, `sequence` its version after the change."""

    event: PublishedEvent
    subject: str
    sequence: int
    causation: UUID | None = None
    traceparent: str | None = None


def publish(event: PublishedEvent, *, subject: str, sequence: int, causation: UUID | None = None) -> UUID:
    """Write one event to the outbox; it leaves if, and only if, the surrounding transaction commits.

    Raises:
        OutsideTransaction: no transaction is open.
    """
    return publish_many([Outgoing(event, subject, sequence, causation)])[0]


def publish_many(outgoing: Iterable[Outgoing]) -> list[UUID]:
    """Write many events in one statement, in their order; return their ids.

    Raises:
        OutsideTransaction: no transaction is open.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction("publish() needs an open transaction: call it inside transaction.atomic().")
    envelopes = [
        new_envelope(
            one.event,
            subject=one.subject,
            sequence=one.sequence,
            causation=one.causation or context.causation.get(),
            traceparent=one.traceparent or context.traceparent.get(),
        )
        for one in outgoing
    ]
    if envelopes:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, _columns(envelopes))
    return [envelope.id for envelope in envelopes]


def _columns(envelopes: list[Envelope]) -> list[list[object]]:
    return [
        [e.id for e in envelopes],
        [e.type for e in envelopes],
        [e.subject for e in envelopes],
        [e.sequence for e in envelopes],
        [e.data for e in envelopes],
        [e.traceparent or "" for e in envelopes],
        [e.causation for e in envelopes],
        [e.time for e in envelopes],
    ]
