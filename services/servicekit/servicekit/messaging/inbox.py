"""Events in: a row per queue and event id, in the transaction of the effect.

It is why an event that is delivered twice has one effect (docs/adr/0001-outbox-and-inbox.md).
"""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from servicekit.messaging.envelope import Envelope
from servicekit.models import InboxEvent

# The ORM cannot return which rows ON CONFLICT let through, and those are the events to handle.
# ON CONFLICT waits for a transaction that is inserting the same row, so of two consumers that
# were given the same event only one handles it.
INSERT = """
    INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at)
    SELECT %s, event_id, type, payload_hash, clock_timestamp()
    FROM unnest(%s::uuid[], %s::text[], %s::bytea[]) AS e (event_id, type, payload_hash)
    ON CONFLICT (queue, event_id) DO NOTHING RETURNING event_id
"""


def payload_hash(envelope: Envelope) -> bytes:
    """Return the SHA-256 of what must be equal in two deliveries of an event: type and data."""
    return hashlib.sha256(envelope.type.encode() + b"\0" + envelope.data).digest()


def record(queue: str, envelopes: Sequence[Envelope]) -> set[UUID]:
    """Insert a row for each event that this queue has not seen; return their ids.

    Call it inside the transaction of the effect.
    """
    ids = [envelope.id for envelope in envelopes]
    types = [envelope.type for envelope in envelopes]
    hashes = [payload_hash(envelope) for envelope in envelopes]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [queue, ids, types, hashes])
        return {row[0] for row in cursor.fetchall()}


def recorded_hashes(queue: str, event_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the payload hashes under which events were handled before, by event id."""
    rows = InboxEvent.objects.filter(queue=queue, event_id__in=event_ids)
    return {
        event_id: bytes(payload_hash)
        for event_id, payload_hash in rows.values_list("event_id", "payload_hash")
    }
