"""Parked events: listed, sent again or discarded, each action recorded."""

from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from servicekit.messaging.publisher import Publisher
from servicekit.messaging.relay import Relay
from servicekit.models import OutboxAction, OutboxEvent
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


def make_event(**overrides: Any) -> OutboxEvent:
    values = {
        "id": uuid4(),
        "type": OrderPlaced.type,
        "subject": "order-1",
        "sequence": 1,
        "data": b'{"order_id": "order-1"}',
        "created_at": timezone.now(),
        "parked_at": timezone.now(),
        "last_error": "no valid event",
        "attempts": 1,
    }
    return OutboxEvent.objects.create(**{**values, **overrides})


def outbox(*words: str) -> str:
    out = StringIO()
    call_command("outbox", *words, stdout=out)
    return out.getvalue()


def test_list_names_what_waits_for_a_person_and_what_is_tried_again() -> None:
    parked = make_event()
    make_event(parked_at=None, subject="refused", last_error="no queue takes it")
    make_event(discarded_at=timezone.now(), subject="gone")
    make_event(parked_at=None, sent_at=timezone.now(), subject="sent")

    text = outbox("list")

    assert f"{parked.pk}" in text
    assert "no valid event" in text
    assert "1 parked, 1 unsent." in text
    assert "no queue takes it" in text
    assert "gone" not in text
    assert "sent" not in text.replace("unsent", "")


def test_retried_event_leaves_and_the_action_is_recorded(broker_url: str) -> None:
    event = make_event()

    text = outbox("retry", str(event.pk), "--by", "ada", "--note", "repaired")

    assert "1 will be tried again" in text
    relay = Relay(Publisher(broker_url))
    assert relay.step() == 1
    relay.close()
    shown = outbox("show", str(event.pk))
    assert "retried by ada  repaired" in shown
    assert '{"order_id": "order-1"}' in shown


def test_discarded_event_never_leaves(broker_url: str) -> None:
    event = make_event()

    outbox("discard", "--all", "--by", "ada", "--note", "made by a test")

    relay = Relay(Publisher(broker_url))
    assert relay.step() == 0
    relay.close()
    event.refresh_from_db()
    assert event.discarded_at is not None
    assert [(each.action, each.by) for each in event.actions.all()] == [("discarded", "ada")]
    with pytest.raises(CommandError, match="not parked"):
        outbox("retry", str(event.pk))


@pytest.mark.parametrize(
    "state", [{"parked_at": None}, {"parked_at": None, "sent_at": timezone.now()}]
)
def test_event_that_is_not_parked_is_left_alone(state: dict[str, Any]) -> None:
    parked, other = make_event(), make_event(**state)

    with pytest.raises(CommandError, match=f"not parked: {other.pk}"):
        outbox("discard", str(parked.pk), str(other.pk))

    assert not OutboxAction.objects.exists()
    assert OutboxEvent.objects.filter(discarded_at__isnull=False).count() == 0


def test_words_that_name_nothing_are_refused() -> None:
    with pytest.raises(CommandError, match="--all"):
        outbox("retry")
    with pytest.raises(CommandError, match="no event at 999999"):
        outbox("show", "999999")
