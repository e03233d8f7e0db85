"""Events in: one row per queue and event id, in the transaction of the effect, so that an effect happens once."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from servicekit.messaging.envelope import Envelope

# ON CONFLICT waits for a transaction that is inserting the same row, so two consumers cannot both win.
INSERT = """
    INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at)
    SELECT %s, event_id, type, payload_hash, clock_timestamp()
    FROM unnest(%s::uuid[], %s::text[], %s::bytea[]) AS e (event_id, type, payload_hash)
    ON CONFLICT (queue, event_id) DO NOTHING RETURNING event_id
"""


def payload_hash(envelope: Envelope) -> bytes:
    """Return what must be equal in two deliveries of one event."""
    return hashlib.sha256(envelope.type.encode() + b"\0" + envelope.data).digest()


def record(queue: str, envelopes: Sequence[Envelope]) -> set[UUID]:
    """Insert a row for each event that this queue has not seen; return their ids. Call it inside the effect's transaction."""
    hashes = [payload_hash(one) for one in envelopes]
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT, [queue, [one.id for one in envelopes], [one.type for one in envelopes], hashes]
        )
        return {row[0] for row in cursor.fetchall()}


def recorded_hashes(queue: str, event_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the payload hashes under which events were handled before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id, payload_hash FROM inbox WHERE queue = %s AND event_id = ANY(%s)",
            [queue, list(event_ids)],
        )
        return {row[0]: bytes(row[1]) for row in cursor.fetchall()}
