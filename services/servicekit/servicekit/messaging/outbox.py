"""Events out: a row in the transaction that decided the event; the relay publishes it.

The reasons are in docs/adr/0001-outbox-and-inbox.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from servicekit import context
from servicekit.messaging.envelope import MAX_DATA_BYTES, Envelope, PublishedEvent, new_envelope

# Raw SQL, because both are on the hot path of placing an order: for a single row the ORM takes 2.3
# times the CPU time. A single event is the common case.
INSERT_ONE = """
    INSERT INTO outbox (id, type, subject, sequence, data, traceparent, causation, created_at,
                        attempts, last_error)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, '')
"""
# One parameter for all rows, because a statement takes at most 65,535. JSON, because orjson writes
# it in C; arrays, which psycopg writes in Python, cost 20 µs a row more. ORDER BY hands out the
# positions, and so the order of publishing, in the order of the caller.
INSERT = """
    INSERT INTO outbox (id, type, subject, sequence, data, traceparent, causation, created_at,
                        attempts, last_error)
    SELECT id, type, subject, sequence, convert_to(data, 'UTF8'), traceparent, causation,
           created_at, 0, ''
    FROM ROWS FROM (
        json_to_recordset(%s::json) AS (
            id uuid, type text, subject text, sequence bigint, data text, traceparent text,
            causation uuid, created_at timestamptz
        )
    ) WITH ORDINALITY AS e (id, type, subject, sequence, data, traceparent, causation, created_at,
                            n)
    ORDER BY n
"""


class OutsideTransaction(RuntimeError):
    """publish() was called outside transaction.atomic().

    The event could then exist without the change that it announces, or the reverse.
    """


class EventTooLarge(ValueError):
    """The event's data exceed what consumers take; from the outbox it could never be sent."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to publish.

    `subject` is the aggregate's id, `sequence` its version after the change. `causation` and
    `traceparent` default to those of the event whose handler runs (servicekit.context).
    """

    event: PublishedEvent
    subject: str
    sequence: int
    causation: UUID | None = None
    traceparent: str | None = None


def publish(
    event: PublishedEvent,
    *,
    subject: str,
    sequence: int,
    causation: UUID | None = None,
) -> UUID:
    """Write an event to the outbox and return its id.

    It is sent if, and only if, the surrounding transaction commits.

    Raises:
        OutsideTransaction: no transaction is open.
        EventTooLarge: its data have more than 256 KiB.
    """
    return publish_many([Outgoing(event, subject, sequence, causation)])[0]


def publish_many(outgoing: Iterable[Outgoing]) -> list[UUID]:
    """Write events in a single statement, in their order; return their ids.

    Raises:
        OutsideTransaction: no transaction is open.
        EventTooLarge: an event has more than 256 KiB of data; nothing was written.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction("publish() must be called inside transaction.atomic().")
    envelopes = [_envelope(event) for event in outgoing]
    rows = [_row(envelope) for envelope in envelopes]
    if rows:
        with connection.cursor() as cursor:
            if len(rows) == 1:
                cursor.execute(INSERT_ONE, list(rows[0].values()))
            else:
                cursor.execute(INSERT, [_document(rows)])
    return [envelope.id for envelope in envelopes]


def _envelope(outgoing: Outgoing) -> Envelope:
    return new_envelope(
        outgoing.event,
        subject=outgoing.subject,
        sequence=outgoing.sequence,
        causation=outgoing.causation or context.causation.get(),
        traceparent=outgoing.traceparent or context.traceparent.get(),
    )


def _row(envelope: Envelope) -> dict[str, Any]:
    if len(envelope.data) > MAX_DATA_BYTES:
        size = len(envelope.data)
        raise EventTooLarge(f"{envelope.type} has {size} bytes; at most {MAX_DATA_BYTES} are sent")
    return {
        "id": envelope.id,
        "type": envelope.type,
        "subject": envelope.subject,
        "sequence": envelope.sequence,
        "data": envelope.data,
        "traceparent": envelope.traceparent or "",
        "causation": envelope.causation,
        "created_at": envelope.time,
    }


def _document(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows, default=bytes.decode).decode()
