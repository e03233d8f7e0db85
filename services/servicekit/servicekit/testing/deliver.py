"""Run a service's handlers as its consumer would, without a broker, and read its outbox."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from servicekit.messaging.batch import handle_batch
from servicekit.messaging.delivery import Delivery
from servicekit.messaging.envelope import CONTENT_TYPE
from servicekit.messaging.router import Router
from servicekit.models import OutboxEvent


def make_delivery(
    event_type: str,
    data: dict[str, Any],
    *,
    event_id: UUID | None = None,
    subject: str = "",
    sequence: int = 1,
) -> Delivery:
    """Return a message as a relay would have sent it; `data` is the event's JSON object."""
    headers = {
        "ce-id": str(event_id or uuid7()),
        "ce-type": event_type,
        "ce-source": "/" + event_type.partition(".")[0],
        "ce-specversion": "1.0",
        "ce-subject": subject or "test",
        "ce-sequence": str(sequence),
        "ce-time": "2026-01-01T00:00:00Z",
    }
    return Delivery(
        tag=0, body=json.dumps(data).encode(), headers=headers, content_type=CONTENT_TYPE
    )


def deliver(router: Router, queue: str, deliveries: Sequence[Delivery], *, times: int = 1) -> None:
    """Handle the deliveries as a batch, `times` times, as if the broker delivered them again."""
    for _ in range(times):
        remaining = list(deliveries)
        while remaining:
            remaining = handle_batch(queue, router.queues[queue], remaining)


def outbox_events(event_type: str = "") -> list[dict[str, Any]]:
    """Return the events of the outbox, oldest first, only those of `event_type` if it is given.

    Each has type, subject, sequence, causation and data.
    """
    rows = OutboxEvent.objects.order_by("position")
    if event_type:
        rows = rows.filter(type=event_type)
    return [
        {
            "type": row.type,
            "subject": row.subject,
            "sequence": row.sequence,
            "causation": row.causation,
            "data": json.loads(bytes(row.data)),
        }
        for row in rows
    ]
