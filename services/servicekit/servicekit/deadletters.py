"""What could not be handled: kept whole with its reason, listed, redriven or discarded, each with an audit row.

A table, not a queue: the letters can be looked at without moving them, and one transaction stores the letter and the neighbours'
effects (docs/adr/0003-dead-letters-in-a-table.md).
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from servicekit import broker, metrics
from servicekit.models import DeadLetter, DeadLetterAction
from servicekit.publisher import Message, Publisher

if TYPE_CHECKING:
    from servicekit.delivery import Delivery

NOT_JSON = "not_json"
INVALID_ENVELOPE = "invalid_envelope"
UNKNOWN_TYPE = "unknown_type"
INVALID_DATA = "invalid_data"
TOO_LARGE = "too_large"
ID_REUSED = "id_reused_with_other_content"
HANDLER_FAILED = "handler_failed"
DELIVERY_LIMIT = "delivery_limit"

INSERT = """
    INSERT INTO dead_letter (queue, event_id, type, reason, detail, headers, content_type, body, fingerprint, received_at, state)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), 'waiting')
    ON CONFLICT (queue, fingerprint) WHERE state = 'waiting' DO NOTHING
"""


class LetterNotWaiting(ValueError):
    """The dead letter does not exist, or was redriven or discarded before."""


class RedriveRefused(RuntimeError):
    """The broker did not take the message back; it is still waiting here."""


def store(queue: str, delivery: "Delivery", reason: str, detail: str) -> None:
    """Keep a message with its reason; the same message twice is one letter. Commits with the caller's transaction."""
    headers = _plain(delivery.headers)
    fingerprint = hashlib.sha256(
        json.dumps(headers, sort_keys=True).encode() + b"\0" + delivery.body
    ).digest()
    row = [
        queue,
        _uuid(headers.get("ce-id")),
        str(headers.get("ce-type", ""))[:200],
        reason,
        _clean(detail),
        json.dumps(headers),
        _clean(delivery.content_type)[:200],
        delivery.body,
        fingerprint,
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, row)
    metrics.DEAD_LETTERS.labels(queue, reason).inc()


def redrive(*, letter_ids: Sequence[int], publisher: Publisher, service: str, by: str, note: str) -> int:
    """Send letters back to their queues with a fresh attempt counter; return how many.

    The broker's confirm comes before the mark: a crash between the two redrives twice, which the inbox absorbs. A letter that still
    cannot be handled comes back as a new letter.

    Raises:
        LetterNotWaiting: one of them is not waiting; none was sent.
        RedriveRefused: the broker refused some; those wait on.
    """
    letters = list(DeadLetter.objects.filter(pk__in=letter_ids, state=DeadLetter.State.WAITING))
    _require_all(letters, letter_ids)
    outcome = publisher.publish([_message(letter, service) for letter in letters])
    sent = set(outcome.confirmed)
    _settle([one for one in letters if one.pk in sent], DeadLetter.State.REDRIVEN, by=by, note=note)
    if outcome.refused:
        raise RedriveRefused("; ".join(f"{key}: {reason}" for key, reason in outcome.refused.items()))
    return len(sent)


def discard(*, letter_ids: Sequence[int], by: str, note: str) -> int:
    """Give letters up for good, keeping the rows and who decided it; return how many.

    Raises:
        LetterNotWaiting: one of them is not waiting; none was discarded.
    """
    letters = list(DeadLetter.objects.filter(pk__in=letter_ids, state=DeadLetter.State.WAITING))
    _require_all(letters, letter_ids)
    _settle(letters, DeadLetter.State.DISCARDED, by=by, note=note)
    return len(letters)


def _settle(letters: list[DeadLetter], state: DeadLetter.State, *, by: str, note: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        DeadLetter.objects.filter(pk__in=[one.pk for one in letters]).update(state=state)
        DeadLetterAction.objects.bulk_create(
            DeadLetterAction(letter=one, action=state.value, by=by, note=note, at=now) for one in letters
        )


def _require_all(letters: list[DeadLetter], letter_ids: Sequence[int]) -> None:
    missing = sorted(set(letter_ids) - {one.pk for one in letters})
    if missing:
        raise LetterNotWaiting(
            f"not waiting: {', '.join(map(str, missing))}. `deadletters list` shows what is."
        )


def _message(letter: DeadLetter, service: str) -> Message:
    headers = {name: value for name, value in letter.headers.items() if name.startswith("ce-")}
    return Message(
        key=letter.pk,
        exchange=broker.redrive_name(service),
        routing_key=letter.queue,
        body=bytes(letter.body),
        headers=headers,
        content_type=letter.content_type,
    )


def _plain(headers: dict[str, Any]) -> dict[str, Any]:
    """Return headers as JSON that PostgreSQL stores: no NUL, no lone surrogate, AMQP's own types as text."""
    plain: dict[str, Any] = json.loads(_clean(json.dumps(headers, default=str)))
    return plain


def _clean(text: str) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    return re.sub(r"\\u(0000|d[89a-f][0-9a-f]{2})", r"\\ufffd", text, flags=re.IGNORECASE)


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
