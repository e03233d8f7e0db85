"""What the broker refuses stays unsent, is tried again, and delays no other event."""

from collections.abc import Callable

import pytest

from servicekit.messaging import outbox_scan
from servicekit.messaging.relay import Relay
from servicekit.models import OutboxEvent
from servicekit.testing.fixtures import BrokerAdmin
from servicekit.testing.waiting import wait_until
from tests.conftest import QUEUE
from tests.messaging.helpers import add_event, peek_ids, relay_errors, relaying
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


def test_unroutable_event_stays_unsent_and_holds_up_nobody(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    """Without mandatory, RabbitMQ confirms an event that no queue takes: it would be lost and
    counted as sent.
    """
    broker_admin.call("DELETE", f"/bindings/{vhost}/e/orders.events/q/{QUEUE}/{OrderPlaced.type}")
    publish("lost?")
    add_event("orders.order_cancelled.v1", "fine")

    relay.step()

    unsent = OutboxEvent.objects.get(sent_at__isnull=True)
    assert unsent.subject == "lost?"
    assert unsent.attempts == 1
    assert "no queue takes" in unsent.last_error
    assert peek_ids(broker_admin, vhost) == ["fine"]


def test_refused_event_leaves_once_its_queue_is_bound_again(
    relay: Relay,
    publish: Callable[..., None],
    broker_admin: BrokerAdmin,
    vhost: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often it was refused: a missing binding or a full queue passes, and no event is to
    blame.
    """
    binding = f"/bindings/{vhost}/e/orders.events/q/{QUEUE}"
    broker_admin.call("DELETE", f"{binding}/{OrderPlaced.type}")
    publish("patient", "second")
    monkeypatch.setattr(outbox_scan, "LONGEST_PAUSE_SECONDS", 0)
    monkeypatch.setattr(outbox_scan, "FIRST_PAUSE_SECONDS", 0)
    for tries in range(1, 13):
        relay.step()
        assert OutboxEvent.objects.get(subject="patient").attempts == tries

    broker_admin.call("POST", binding, {"routing_key": OrderPlaced.type})
    while relay.step():
        pass

    assert not OutboxEvent.objects.filter(sent_at__isnull=True).exists()
    assert peek_ids(broker_admin, vhost) == ["patient", "second"]


def test_refused_type_is_tried_with_one_event_and_the_others_flow(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    broker_admin.call("DELETE", f"/bindings/{vhost}/e/orders.events/q/{QUEUE}/{OrderPlaced.type}")
    publish(*[f"refused-{n}" for n in range(50)])
    relay.step()
    refused = relay_errors("refused")
    relay.step()
    assert relay_errors("refused") == refused  # the type rests

    add_event("orders.order_cancelled.v1", "fine")
    wait_until(relay.step)
    wait_until(lambda: relay.step() == 0 and relay_errors("refused") == refused + 1)

    assert OutboxEvent.objects.filter(attempts__gt=0).count() == 1
    assert peek_ids(broker_admin, vhost) == ["fine"]


def test_event_that_closes_the_channel_holds_up_nobody(
    broker_url: str, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    """A missing exchange or permission makes the broker close the channel, and it does not say over
    which message.
    """
    publish("first", "second")
    OutboxEvent.objects.filter(subject="first").update(type="nobody.knows_this_service.v1")
    publish("third", "fourth")

    with relaying(broker_url):
        wait_until(lambda: OutboxEvent.objects.filter(sent_at__isnull=True).count() == 1)

    unsent = OutboxEvent.objects.get(sent_at__isnull=True)
    assert unsent.subject == "first"
    assert "404" in unsent.last_error
    assert set(peek_ids(broker_admin, vhost)) == {"second", "third", "fourth"}


def test_full_queue_leaves_rows_unsent(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    limit = {"pattern": f"^{QUEUE}$", "definition": {"max-length": 3}, "apply-to": "queues"}
    broker_admin.call("PUT", f"/policies/{vhost}/short", limit)
    wait_until(
        lambda: broker_admin.call("GET", f"/queues/{vhost}/{QUEUE}").get("policy") == "short"
    )

    def publish_one_more() -> bool:
        publish("more")
        return relay.step() == 0

    wait_until(publish_one_more)

    refused = OutboxEvent.objects.get(sent_at__isnull=True)
    assert "full" in refused.last_error
    assert refused.attempts == 1
