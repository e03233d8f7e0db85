"""The relay against real PostgreSQL and RabbitMQ: the traps of reference/reliability.md 1.1 to 1.3, each with its cure."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone
from servicekit import outbox
from servicekit.models import OutboxEvent
from servicekit.publisher import Message, Publisher, PublishingFailed
from servicekit.relay import PARK_AFTER_ATTEMPTS, Relay
from servicekit.testing.faults import StallingProxy
from servicekit.testing.fixtures import BrokerAdmin
from servicekit.testing.waiting import wait_until

from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "products.orders"


@pytest.fixture
def relay(broker_url: str) -> Iterator[Relay]:
    publisher = Publisher(broker_url)
    yield Relay(publisher)
    publisher.close()


def depth(admin: BrokerAdmin, vhost: str, queue: str = QUEUE) -> int:
    messages = admin.call("POST", f"/queues/{vhost}/{queue}/get", _peek())
    return len(messages)


def _peek() -> dict[str, object]:
    return {"count": 10_000, "ackmode": "ack_requeue_true", "encoding": "auto"}


def peek_ids(admin: BrokerAdmin, vhost: str) -> list[str]:
    messages = admin.call("POST", f"/queues/{vhost}/{QUEUE}/get", _peek())
    return [one["properties"]["headers"]["ce-subject"] for one in messages]


def message(key: int, routing_key: str = OrderPlaced.type) -> Message:
    return Message(key, "orders.events", routing_key, b"{}", {})


def test_publish_outside_a_transaction_is_refused() -> None:
    with pytest.raises(outbox.OutsideTransaction):
        outbox.publish(OrderPlaced(order_id="a"), subject="a", sequence=1)

    assert not OutboxEvent.objects.exists()


def test_rolled_back_event_never_leaves(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    with transaction.atomic():
        publish("ghost")
        transaction.set_rollback(True)
    publish("real")

    relay.step()

    assert peek_ids(broker_admin, vhost) == ["real"]


def test_events_leave_oldest_first_and_are_marked(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    names = [f"order-{n}" for n in range(25)]
    publish(*names)

    assert relay.step() == 25

    assert peek_ids(broker_admin, vhost) == names
    assert not OutboxEvent.objects.filter(sent_at__isnull=True).exists()
    assert relay.step() == 0


def test_event_of_a_slow_transaction_is_not_skipped(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    """A high-water mark would pass over the position that was handed out first and committed last."""
    inserted, commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            outbox.publish(OrderPlaced(order_id="slow"), subject="slow", sequence=1)
            inserted.set()
            assert commit.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert inserted.wait(10)
    publish("quick")
    relay.step()
    assert peek_ids(broker_admin, vhost) == ["quick"]

    commit.set()
    thread.join()
    relay.step()

    assert sorted(peek_ids(broker_admin, vhost)) == ["quick", "slow"]
    positions = dict(OutboxEvent.objects.values_list("subject", "position"))
    assert positions["slow"] < positions["quick"]


def test_unroutable_event_stays_unsent_and_holds_up_nobody(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    """Without mandatory, RabbitMQ confirms an event that no queue takes: it would be lost and counted as sent."""
    broker_admin.call("DELETE", f"/bindings/{vhost}/e/orders.events/q/{QUEUE}/{OrderPlaced.type}")
    publish("lost?")
    with transaction.atomic():
        OutboxEvent.objects.create(
            id="01a20862-05c2-7096-a03d-b634be770996",
            type="orders.order_cancelled.v1",
            subject="fine",
            sequence=2,
            data=b"{}",
            created_at=timezone.now(),
        )

    relay.step()

    unsent = OutboxEvent.objects.get(sent_at__isnull=True)
    assert unsent.subject == "lost?"
    assert unsent.attempts == 1
    assert "no queue takes" in unsent.last_error
    assert peek_ids(broker_admin, vhost) == ["fine"]


def test_event_that_can_never_leave_is_parked(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    broker_admin.call("DELETE", f"/bindings/{vhost}/e/orders.events/q/{QUEUE}/{OrderPlaced.type}")
    publish("parked")
    for _ in range(PARK_AFTER_ATTEMPTS):
        OutboxEvent.objects.update(not_before=None)
        relay.step()

    assert OutboxEvent.objects.get().parked_at is not None
    assert relay.step() == 0


def test_too_large_event_is_parked_and_the_next_flows(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    publish("x" * 190)
    OutboxEvent.objects.update(data=b'"' + b"x" * 1_100_000 + b'"')
    publish("small")

    relay.step()

    assert OutboxEvent.objects.get(parked_at__isnull=False).subject == "x" * 190
    assert peek_ids(broker_admin, vhost) == ["small"]


@pytest.fixture
def proxy(broker_url: str) -> Iterator[StallingProxy]:
    parts = urlsplit(broker_url)
    with StallingProxy((parts.hostname or "", parts.port or 0)) as proxy:
        proxy.url = urlunsplit(
            (parts.scheme, f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}", parts.path, "", "")
        )
        yield proxy


def test_blocked_broker_fails_in_time_instead_of_hanging(proxy: StallingProxy) -> None:
    with closing(Publisher(proxy.url, confirm_timeout_seconds=1)) as publisher:
        publisher.publish([message(1)])
        proxy.stall()

        with pytest.raises(PublishingFailed):
            publisher.publish([message(2)])


def test_late_confirm_is_not_taken_for_another_message(proxy: StallingProxy) -> None:
    """py-amqp's own confirm takes the late ack of message 2 for message 3, which then may be lost."""
    with closing(Publisher(proxy.url, confirm_timeout_seconds=1)) as publisher:
        publisher.publish([message(1)])
        proxy.stall(answers_only=True)
        with pytest.raises(PublishingFailed):
            publisher.publish([message(2)])
        proxy.flow()

        outcome = publisher.publish([message(3, routing_key="orders.nobody_listens.v1")])

    assert outcome.confirmed == []
    assert 3 in outcome.refused


def test_confirms_of_a_window_match_their_messages(broker_url: str) -> None:
    window = [message(n, OrderPlaced.type if n % 3 else "orders.nobody_listens.v1") for n in range(300)]

    with closing(Publisher(broker_url)) as publisher:
        outcome = publisher.publish(window)

    assert set(outcome.refused) == {n for n in range(300) if n % 3 == 0}
    assert set(outcome.confirmed) == {n for n in range(300) if n % 3}


def test_broker_away_leaves_every_row_unsent(publish: Callable[..., None]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        relay = Relay(Publisher(f"amqp://a:b@127.0.0.1:{closed.getsockname()[1]}/x"))
    publish("waiting")

    with pytest.raises(PublishingFailed):
        relay.step()

    assert OutboxEvent.objects.filter(sent_at__isnull=True).count() == 1


def test_second_relay_stands_by_until_the_first_is_gone(
    broker_url: str, publish: Callable[..., None]
) -> None:
    relays = [Relay(Publisher(broker_url)) for _ in range(2)]
    threads = [threading.Thread(target=one.run_in_thread) for one in relays]
    threads[0].start()
    publish("one")
    wait_until(lambda: not OutboxEvent.objects.filter(sent_at__isnull=True).exists())
    threads[1].start()

    relays[0].stop()
    threads[0].join(10)
    publish("two")

    wait_until(lambda: not OutboxEvent.objects.filter(sent_at__isnull=True).exists())
    relays[1].stop()
    threads[1].join(10)
    assert not any(thread.is_alive() for thread in threads)
