"""Events that were sent, published again by type and time: with their ids, recorded, and without a
second effect.
"""

from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from servicekit.messaging import outbox_actions
from servicekit.messaging.publisher import Publisher
from servicekit.messaging.relay import Relay
from servicekit.models import InboxEvent, OutboxAction, OutboxEvent
from servicekit.operations import purge
from servicekit.testing.fixtures import SetKit
from servicekit.testing.waiting import wait_until
from tests.conftest import Recorder, consuming
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _orders(set_kit: SetKit) -> None:
    set_kit(event_router="tests.project.handlers.orders_router")


def ago(**time: float) -> datetime:
    return timezone.now() - timedelta(**time)


def make_sent(order_id: str = "order-1", **overrides: Any) -> OutboxEvent:
    values = {
        "id": uuid4(),
        "type": OrderPlaced.type,
        "subject": order_id,
        "sequence": 1,
        "data": f'{{"order_id": "{order_id}"}}'.encode(),
        "created_at": ago(hours=1),
        "sent_at": ago(hours=1),
    }
    return OutboxEvent.objects.create(**{**values, **overrides})


def republish(
    *words: str, event_type: str = OrderPlaced.type, since: datetime | None = None
) -> str:
    out = StringIO()
    start = (since or ago(hours=2)).isoformat()
    call_command("outbox", "republish", "--type", event_type, "--since", start, *words, stdout=out)
    return out.getvalue()


def relay_everything(url: str) -> int:
    relay = Relay(Publisher(url))
    sent = relay.step()
    relay.close()
    return sent


def test_event_that_was_missed_arrives_and_one_that_was_handled_has_no_second_effect(
    broker_url: str, recorder: Recorder
) -> None:
    handled = make_sent("handled", sent_at=None)
    with consuming(recorder, broker_url):
        relay_everything(broker_url)
        wait_until(lambda: recorder.handled == ["handled"])
        make_sent("missed")

        text = republish("--by", "ada", "--note", "the queue was unbound")

        assert "2 will be published again" in text
        assert relay_everything(broker_url) == 2
        wait_until(lambda: recorder.handled == ["handled", "missed"])
    assert InboxEvent.objects.filter(event_id=handled.id).count() == 1
    assert set(OutboxAction.objects.values_list("event__subject", "action", "by", "note")) == {
        (name, "republished", "ada", "the queue was unbound") for name in ("handled", "missed")
    }


def test_only_what_was_sent_in_that_time_is_chosen() -> None:
    make_sent("other type", type="orders.order_expired.v1")
    make_sent("before", sent_at=ago(hours=3))
    make_sent("after", sent_at=ago(minutes=5))
    make_sent("unsent", sent_at=None)
    make_sent("parked", sent_at=None, parked_at=timezone.now())
    wanted = make_sent("wanted")

    republish("--until", ago(minutes=10).isoformat())

    assert list(OutboxAction.objects.values_list("event_id", flat=True)) == [wanted.pk]
    assert OutboxEvent.objects.filter(sent_at__isnull=True).count() == 3


def test_dry_run_changes_nothing() -> None:
    event = make_sent()

    text = republish("--dry-run")

    assert text.startswith("1 would be")
    event.refresh_from_db()
    assert event.sent_at is not None
    assert not OutboxAction.objects.exists()


def test_many_events_are_chosen_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_actions, "BATCH", 2)
    for number in range(5):
        make_sent(f"order-{number}")

    assert republish().startswith("5 ")

    assert OutboxAction.objects.count() == 5


def test_event_that_inboxes_may_forget_is_never_sent_again() -> None:
    make_sent(created_at=ago(days=purge.INBOX.days / 2, minutes=1), sent_at=ago(hours=1))

    with pytest.raises(CommandError, match="to publish again was sent"):
        republish()


def test_inbox_remembers_longer_than_an_event_can_be_sent_again() -> None:
    assert purge.INBOX.days >= outbox_actions.LONGEST_AGE.days + purge.OUTBOX.days


@pytest.mark.parametrize("since", ["yesterday", "2026-11-26T10:00:00", "2026-13-45T10:00:00Z", ""])
def test_time_that_is_none_is_refused(since: str) -> None:
    with pytest.raises(CommandError, match="offset"):
        call_command("outbox", "republish", "--type", OrderPlaced.type, "--since", since)


def test_event_of_another_service_is_left_to_it() -> None:
    assert "not an event of orders" in republish(event_type="users.user_registered.v1")


def test_erased_events_are_gone_sent_or_not_with_what_was_done_with_them() -> None:
    sent = make_sent("order-1")
    republish()
    make_sent("order-1", sent_at=None)
    kept = [make_sent("order-2"), make_sent("order-1", type="orders.order_cancelled.v1")]

    erased = outbox_actions.erase(event_type=OrderPlaced.type, subjects=["order-1", "order-3"])

    assert erased == 2
    assert not OutboxAction.objects.filter(event_id=sent.pk).exists()
    assert set(OutboxEvent.objects.values_list("pk", flat=True)) == {each.pk for each in kept}
