"""Events out: a row in the transaction that decided them. The relay publishes it (docs/adr/0001-outbox-and-inbox.md)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from servicekit import context
from servicekit.messaging.envelope import MAX_DATA_BYTES, Envelope, PublishedEvent, new_envelope

# One event is the common case on a path that counts; psycopg writes arrays in Python, single values in C.
INSERT_ONE = """
    INSERT INTO outbox (id, type, subject, sequence, data, traceparent, causation, created_at, attempts, last_error)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, '')
"""
INSERT = """
    INSERT INTO outbox (id, type, subject, sequence, data, traceparent, causation, created_at, attempts, last_error)
    SELECT id, type, subject, sequence, data, traceparent, causation, created_at, 0, ''
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::text[], %s::uuid[], %s::timestamptz[])
         WITH ORDINALITY AS e (id, type, subject, sequence, data, traceparent, causation, created_at, n)
    ORDER BY n
"""


class OutsideTransaction(RuntimeError):
    """publish() was called outside transaction.atomic(): the event could exist without its cause, or the reverse."""


class EventTooLarge(ValueError):
    """The event's data exceed what the broker and consumers take; written to the outbox, it could never leave."""


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
        EventTooLarge: its data have more than 256 KiB.
    """
    return publish_many([Outgoing(event, subject, sequence, causation)])[0]


def publish_many(outgoing: Iterable[Outgoing]) -> list[UUID]:
    """Write many events in one statement, in their order; return their ids.

    Raises:
        OutsideTransaction: no transaction is open.
        EventTooLarge: the data of one have more than 256 KiB; nothing was written.
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
    rows = [_row(envelope) for envelope in envelopes]
    if rows:
        with connection.cursor() as cursor:
            if len(rows) == 1:
                cursor.execute(INSERT_ONE, rows[0])
            else:
                cursor.execute(INSERT, [list(column) for column in zip(*rows, strict=True)])
    return [envelope.id for envelope in envelopes]


def _row(envelope: Envelope) -> tuple[Any, ...]:
    if len(envelope.data) > MAX_DATA_BYTES:
        raise EventTooLarge(f"{envelope.type} has {len(envelope.data)} bytes; at most {MAX_DATA_BYTES} leave")
    return (
        envelope.id,
        envelope.type,
        envelope.subject,
        envelope.sequence,
        envelope.data,
        envelope.traceparent or "",
        envelope.causation,
        envelope.time,
    )
