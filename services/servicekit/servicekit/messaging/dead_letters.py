"""What could not be handled: stored whole with its reason, listed, redriven or discarded.

A table and not a queue: the letters can be looked at without moving them, and a single transaction
stores the letter and the effects of its neighbours (docs/adr/0003-dead-letters-in-a-table.md).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from servicekit.messaging import topology
from servicekit.messaging.delivery import DELIVERY_LIMIT, Delivery
from servicekit.messaging.publisher import Message, Publisher
from servicekit.models import DeadLetter, DeadLetterAction
from servicekit.operations import metrics

# What is empty was erased before.
ERASE = """
    UPDATE dead_letter SET body = '', headers = '{}', detail = '', fingerprint = '',
        state = CASE state WHEN 'waiting' THEN 'discarded' ELSE state END
    WHERE queue = %(queue)s AND (headers <> '{}' OR body <> '')
        AND (strpos(headers::text, %(about)s) > 0
             OR position(convert_to(%(about)s, 'UTF8') IN body) > 0)
    RETURNING id
"""


class LetterNotWaiting(ValueError):
    """The dead letter does not exist, or was redriven or discarded before."""


class RedriveRefused(RuntimeError):
    """The broker did not take the message; the letter still waits here."""


def store(queue: str, delivery: Delivery, reason: str, detail: str) -> None:
    """Store a message with its reason; it commits with the caller's transaction.

    The same message, delivered again before it was acknowledged, remains a single letter.
    """
    headers = _plain_headers(delivery)
    letter = DeadLetter(
        queue=_clean(queue)[:100],
        event_id=_uuid(headers.get("ce-id")),
        type=str(headers.get("ce-type", ""))[:200],
        reason=_clean(reason)[:50],
        detail=_clean(detail),
        headers=headers,
        content_type=_clean(delivery.content_type)[:200],
        body=delivery.body,
        fingerprint=_fingerprint(headers, delivery.body),
        received_at=Now(),
    )
    # The conflict is that of `dead_letter_once_waiting`, a partial unique index.
    DeadLetter.objects.bulk_create([letter], ignore_conflicts=True)
    metrics.DEAD_LETTERS.labels(queue, reason).inc()


def store_undeliverable(dead_queue: str, delivery: Delivery) -> None:
    """Store a message that the broker gave up on, under the queue that it came from."""
    origin, reason = first_death(delivery.headers)
    reason = reason or DELIVERY_LIMIT
    # RabbitMQ adds x-… headers on the way to the dead-letter queue; they are not the event's.
    names = [name for name in delivery.headers if not str(name).startswith("x-")]
    headers = {name: delivery.headers[name] for name in names}
    letter = Delivery(delivery.tag, delivery.body, headers, delivery.content_type)
    store(origin or dead_queue, letter, reason, f"the broker gave up on it: {reason}")


def first_death(headers: Mapping[Any, Any]) -> tuple[str, str]:
    """Return queue and reason of the latest dead-lettering, from RabbitMQ's x-death header.

    Both are empty if the header does not say.
    """
    deaths = headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(death, dict):
        return "", ""
    return str(death.get("queue", "")), str(death.get("reason", ""))


def redrive(
    *, letter_ids: Sequence[int], publisher: Publisher, service: str, by: str, note: str
) -> int:
    """Send letters back to their queues with a fresh attempt counter; return how many.

    A crash after the broker's confirm redrives twice, which the inbox absorbs. A message that
    still cannot be handled comes back as a new letter.

    Raises:
        LetterNotWaiting: at least one is not waiting; none was sent.
        RedriveRefused: the broker refused some, such as those of a missing queue; these still wait.
        PublishingFailed: the broker is away; all of them still wait.
    """
    # Marked first, committed after the confirm: a copy that fails again at once is then a new
    # letter; an unmarked letter would pass for the same and vanish with the mark. It is the only
    # transaction that spans a network call: rare, and started by an operator.
    with transaction.atomic():
        letters = _waiting(letter_ids)
        _mark(letters, DeadLetter.State.REDRIVEN)
        refused = publisher.publish([_message(letter, service) for letter in letters]).refused
        _mark([letter for letter in letters if letter.pk in refused], DeadLetter.State.WAITING)
        sent = [letter for letter in letters if letter.pk not in refused]
        _record(sent, DeadLetter.State.REDRIVEN, by=by, note=note)
    if refused:
        raise RedriveRefused("; ".join(f"{key}: {reason}" for key, reason in refused.items()))
    return len(sent)


def discard(*, letter_ids: Sequence[int], by: str, note: str) -> int:
    """Give up letters; return how many. The rows are kept for 90 days, with who decided it.

    Raises:
        LetterNotWaiting: at least one is not waiting; none was discarded.
    """
    with transaction.atomic():
        letters = _waiting(letter_ids)
        _mark(letters, DeadLetter.State.DISCARDED)
        _record(letters, DeadLetter.State.DISCARDED, by=by, note=note)
    return len(letters)


def erase(*, queue: str, about: UUID, by: str) -> int:
    """Empty the letters of a queue that name `about`, and give up those that wait; return how many.

    For personal data that is to be forgotten: what was wrong, and when, stays in the row. Call it
    in the transaction that forgets the rest; the letters must be of no more use to anybody, such
    as those that tell of an account which is deleted.
    """
    with connection.cursor() as cursor:
        cursor.execute(ERASE, {"queue": queue, "about": str(about)})
        ids = [row[0] for row in cursor.fetchall()]
    now = timezone.now()
    DeadLetterAction.objects.bulk_create(
        DeadLetterAction(letter_id=each, action="erased", by=by, at=now) for each in ids
    )
    return len(ids)


def _waiting(letter_ids: Sequence[int]) -> list[DeadLetter]:
    """Return the letters, locked until the end of the transaction."""
    waiting = DeadLetter.objects.filter(pk__in=letter_ids, state=DeadLetter.State.WAITING)
    letters = list(waiting.select_for_update().order_by("pk"))
    missing = sorted(set(letter_ids) - {letter.pk for letter in letters})
    if missing:
        ids = ", ".join(map(str, missing))
        raise LetterNotWaiting(f"not waiting: {ids}. `deadletters list` shows what is.")
    return letters


def _mark(letters: list[DeadLetter], state: DeadLetter.State) -> None:
    DeadLetter.objects.filter(pk__in=[letter.pk for letter in letters]).update(state=state)


def _record(letters: list[DeadLetter], action: DeadLetter.State, *, by: str, note: str) -> None:
    now = timezone.now()
    DeadLetterAction.objects.bulk_create(
        DeadLetterAction(letter=letter, action=action.value, by=by, note=note, at=now)
        for letter in letters
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


def _fingerprint(headers: Mapping[str, Any], body: bytes) -> bytes:
    """Return the hash by which two deliveries are the same message.

    What the broker and our retries add to a message on its way does not make it another message.
    """
    own = {name: value for name, value in headers.items() if not name.startswith(("x-", "souk-"))}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode() + b"\0" + body).digest()


def _plain_headers(delivery: Delivery) -> dict[str, Any]:
    try:
        headers: dict[str, Any] = _plain(delivery.headers)
    except RecursionError:
        headers = {"unreadable": "nested too deeply"}
    return headers


def _plain(value: Any) -> Any:
    """Return what AMQP headers hold as JSON that PostgreSQL stores.

    Keys become text, and so do values of other types; NUL, lone surrogates and NaN are gone.
    """
    if isinstance(value, dict):
        return {_clean(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    return _clean(str(value))


def _clean(text: str) -> str:
    """Replace what PostgreSQL refuses in text: NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
