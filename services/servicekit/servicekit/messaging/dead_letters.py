"""What could not be handled: kept whole with its reason, listed, redriven or discarded, each with an audit row.

A table, not a queue: the letters can be looked at without moving them, and one transaction stores the letter and the neighbours'
effects (docs/adr/0003-dead-letters-in-a-table.md).
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from servicekit.messaging import topology
from servicekit.messaging.delivery import Delivery
from servicekit.messaging.publisher import Message, Publisher
from servicekit.models import DeadLetter, DeadLetterAction
from servicekit.operations import metrics

INSERT = """
    INSERT INTO dead_letter (queue, event_id, type, reason, detail, headers, content_type, body, fingerprint, received_at, state)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), 'waiting')
    ON CONFLICT (queue, fingerprint) WHERE state = 'waiting' DO NOTHING
"""


class LetterNotWaiting(ValueError):
    """The dead letter does not exist, or was redriven or discarded before."""


class RedriveRefused(RuntimeError):
    """The broker did not take the message back; it is still waiting here."""


def store(queue: str, delivery: Delivery, reason: str, detail: str) -> None:
    """Keep a message with its reason; the same message twice is one letter. Commits with the caller's transaction."""
    headers = _plain_headers(delivery)
    # What the broker and our retries add to a message on its way does not make it another message.
    own = {name: value for name, value in headers.items() if not name.startswith(("x-", "souk-"))}
    fingerprint = hashlib.sha256(json.dumps(own, sort_keys=True).encode() + b"\0" + delivery.body).digest()
    row = [
        _clean(queue)[:100],
        _uuid(headers.get("ce-id")),
        str(headers.get("ce-type", ""))[:200],
        _clean(reason)[:50],
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

    A crash after the broker's confirm redrives twice, which the inbox absorbs. A letter that still cannot be handled comes back as a
    new letter.

    Raises:
        LetterNotWaiting: one of them is not waiting; none was sent.
        RedriveRefused: the broker refused some, such as those of a queue that is gone; these wait on.
        PublishingFailed: the broker is away; all of them wait on.
    """
    # Marked first, committed after the confirm: a copy that fails again at once is then a new letter, while an unmarked one would
    # pass for the same letter and vanish with the mark. The one transaction of ours that spans a network call, by hand and rare.
    with transaction.atomic():
        letters = _waiting(letter_ids)
        _mark(letters, DeadLetter.State.REDRIVEN)
        refused = publisher.publish([_message(letter, service) for letter in letters]).refused
        _mark([one for one in letters if one.pk in refused], DeadLetter.State.WAITING)
        sent = [one for one in letters if one.pk not in refused]
        _record(sent, DeadLetter.State.REDRIVEN, by=by, note=note)
    if refused:
        raise RedriveRefused("; ".join(f"{key}: {reason}" for key, reason in refused.items()))
    return len(sent)


def discard(*, letter_ids: Sequence[int], by: str, note: str) -> int:
    """Give letters up for good, keeping the rows and who decided it; return how many.

    Raises:
        LetterNotWaiting: one of them is not waiting; none was discarded.
    """
    with transaction.atomic():
        letters = _waiting(letter_ids)
        _mark(letters, DeadLetter.State.DISCARDED)
        _record(letters, DeadLetter.State.DISCARDED, by=by, note=note)
    return len(letters)


def _waiting(letter_ids: Sequence[int]) -> list[DeadLetter]:
    """Return the letters, locked."""
    waiting = DeadLetter.objects.select_for_update().filter(pk__in=letter_ids, state=DeadLetter.State.WAITING)
    letters = list(waiting.order_by("pk"))
    missing = sorted(set(letter_ids) - {one.pk for one in letters})
    if missing:
        raise LetterNotWaiting(
            f"not waiting: {', '.join(map(str, missing))}. `deadletters list` shows what is."
        )
    return letters


def _mark(letters: list[DeadLetter], state: DeadLetter.State) -> None:
    DeadLetter.objects.filter(pk__in=[one.pk for one in letters]).update(state=state)


def _record(letters: list[DeadLetter], action: DeadLetter.State, *, by: str, note: str) -> None:
    now = timezone.now()
    DeadLetterAction.objects.bulk_create(
        DeadLetterAction(letter=one, action=action.value, by=by, note=note, at=now) for one in letters
    )


def _message(letter: DeadLetter, service: str) -> Message:
    headers = {name: value for name, value in letter.headers.items() if name.startswith("ce-")}
    return Message(
        key=letter.pk,
        exchange=topology.redrive_name(service),
        routing_key=letter.queue,
        body=bytes(letter.body),
        headers=headers,
        content_type=letter.content_type,
    )


def _plain_headers(delivery: Delivery) -> dict[str, Any]:
    try:
        headers: dict[str, Any] = _plain(delivery.headers)
    except RecursionError:
        headers = {"unreadable": "nested too deeply"}
    return headers


def _plain(value: Any) -> Any:
    """Return what AMQP headers hold as JSON that PostgreSQL stores: keys as text, no NUL, no NaN, other types as text."""
    if isinstance(value, dict):
        return {_clean(str(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool | int):
        return value
    return _clean(str(value))


def _clean(text: str) -> str:
    """Return text without what PostgreSQL refuses: NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
