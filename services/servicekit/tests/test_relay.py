"""The relay against real PostgreSQL and RabbitMQ: the traps of reference/reliability.md 1.1 to 1.3, each with its cure."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from servicekit.database import direct_connection
from servicekit.messaging import held_types, outbox
from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.messaging.publisher import Message, Publisher, PublishingFailed
from servicekit.messaging.relay import FULL_LOOK_SECONDS, Relay
from servicekit.models import OutboxEvent
from servicekit.operations import metrics
from servicekit.testing.faults import StallingProxy
from servicekit.testing.fixtures import BrokerAdmin
from servicekit.testing.waiting import wait_until
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "products.orders"


@pytest.fixture
def relay(broker_url: str) -> Iterator[Relay]:
    with closing(Relay(Publisher(broker_url))) as relay:
        yield relay


def depth(admin: BrokerAdmin, vhost: str, queue: str = QUEUE) -> int:
    messages = admin.call("POST", f"/queues/{vhost}/{queue}/get", _peek())
    return len(messages)


def _peek() -> dict[str, object]:
    return {"count": 10_000, "ackmode": "ack_requeue_true", "encoding": "auto"}


def peek_ids(admin: BrokerAdmin, vhost: str) -> list[str]:
    messages = admin.call("POST", f"/queues/{vhost}/{QUEUE}/get", _peek())
    return [one["properties"]["headers"]["ce-subject"] for one in messages]


def message(key: int, routing_key: str = OrderPlaced.type, body: bytes = b"{}") -> Message:
    return Message(key, "orders.events", routing_key, body, {})


def add_event(event_type: str, subject: str) -> None:
    OutboxEvent.objects.create(
        id=uuid4(), type=event_type, subject=subject, sequence=2, data=b"{}", created_at=timezone.now()
    )


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
    """However often it was refused: a missing binding or a full queue passes, and no event is to blame."""
    binding = f"/bindings/{vhost}/e/orders.events/q/{QUEUE}"
    broker_admin.call("DELETE", f"{binding}/{OrderPlaced.type}")
    publish("patient", "second")
    monkeypatch.setattr(held_types, "LONGEST_PAUSE_SECONDS", 0)
    monkeypatch.setattr(held_types, "FIRST_PAUSE_SECONDS", 0)
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
    refused = metrics_of("refused")
    relay.step()
    assert metrics_of("refused") == refused  # the type rests

    add_event("orders.order_cancelled.v1", "fine")
    wait_until(relay.step)
    wait_until(lambda: relay.step() == 0 and metrics_of("refused") == refused + 1)

    assert OutboxEvent.objects.filter(attempts__gt=0).count() == 1
    assert peek_ids(broker_admin, vhost) == ["fine"]


@pytest.mark.parametrize("spoil", [{"data": b'"' + b"x" * MAX_DATA_BYTES + b'"'}, {"type": ""}])
def test_event_that_can_never_leave_is_parked_and_the_next_flows(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str, spoil: dict[str, Any]
) -> None:
    publish("spoilt")
    OutboxEvent.objects.update(**({"sequence": -(2**63), "id": uuid4()} | spoil))
    publish("small")

    relay.step()

    assert OutboxEvent.objects.get(parked_at__isnull=False).subject == "spoilt"
    assert peek_ids(broker_admin, vhost) == ["small"]


def test_window_is_bounded_by_bytes_and_leaves_nothing_behind(
    relay: Relay, publish: Callable[..., None]
) -> None:
    publish(*[str(n) for n in range(40)])
    OutboxEvent.objects.update(data=b'"' + b"x" * (MAX_DATA_BYTES - 2) + b'"')

    sent = [relay.step() for _ in range(5)]

    assert sent == [16, 16, 8, 0, 0]


def test_larger_event_than_may_leave_is_not_written(publish: Callable[..., None]) -> None:
    with pytest.raises(outbox.EventTooLarge):
        publish("x" * MAX_DATA_BYTES)

    assert not OutboxEvent.objects.exists()


def test_poll_does_not_read_what_an_open_snapshot_keeps(relay: Relay, publish: Callable[..., None]) -> None:
    """A backup keeps every row that was sent meanwhile in the index of unsent rows: each poll would read them all."""
    with closing(direct_connection()) as backup:
        backup.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM outbox")
        publish(*[str(n) for n in range(2000)])
        while relay.step():
            pass
        for _ in range(2):
            relay.start.look_everywhere()
            assert relay.step() == 0
        full_look = entries_read_by(lambda: relay.start.look_everywhere() or relay.step(), relay)
        quick_look = entries_read_by(relay.step, relay)

    assert full_look >= 2000
    assert quick_look < 10


def entries_read_by(work: Callable[[], object], relay: Relay) -> int:
    """How many entries of the index of unsent rows the relay's connection reads for some work."""

    def entries() -> int:
        relay.execute("SELECT pg_stat_force_next_flush()", [])
        relay.execute("SELECT 1", [])
        statement = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'outbox_unsent'"
        return int(relay.execute(statement, []).fetchone()[0])  # type: ignore[index]

    before = entries()
    work()
    return entries() - before


def test_event_of_a_transaction_that_ends_much_later_leaves_too(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    """Its position is below where the quick looks begin."""
    with closing(direct_connection()) as slow:
        slow.execute("BEGIN")
        slow.execute(
            "INSERT INTO outbox (id, type, subject, sequence, data, traceparent, created_at, attempts, last_error) "
            "VALUES (%s, %s, 'slow', 1, '{}', '', now(), 0, '')",
            [uuid4(), OrderPlaced.type],
        )
        publish("quick")
        for _ in range(3):
            relay.start.look_everywhere()
            relay.step()
        slow.execute("COMMIT")

    wait_until(lambda: relay.step() == 1, timeout_seconds=FULL_LOOK_SECONDS + 5)

    assert peek_ids(broker_admin, vhost) == ["quick", "slow"]


@pytest.fixture
def proxy(broker_url: str) -> Iterator[StallingProxy]:
    parts = urlsplit(broker_url)
    with StallingProxy((parts.hostname or "", parts.port or 0)) as proxy:
        proxy.url = urlunsplit(
            (parts.scheme, f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}", parts.path, "", "")
        )
        yield proxy


@pytest.mark.parametrize("kilobytes", [1, 20_000], ids=["awaiting a confirm", "in the middle of sending"])
def test_blocked_broker_fails_in_time_instead_of_hanging(proxy: StallingProxy, kilobytes: int) -> None:
    with closing(Publisher(proxy.url, confirm_timeout_seconds=1)) as publisher:
        publisher.publish([message(1)])
        proxy.stall()

        with pytest.raises(PublishingFailed):
            publisher.publish([message(2, body=b"x" * 1000 * kilobytes)])


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
        url = f"amqp://a:b@127.0.0.1:{closed.getsockname()[1]}/x"
    publish("waiting")

    with closing(Relay(Publisher(url))) as relay, pytest.raises(PublishingFailed):
        relay.step()

    assert OutboxEvent.objects.filter(sent_at__isnull=True).count() == 1


@contextmanager
def relaying(url: str, **options: Any) -> Iterator[Relay]:
    """Run a relay in a thread for the length of the block."""
    relay = Relay(Publisher(url, confirm_timeout_seconds=1), **options)
    thread = threading.Thread(target=relay.run_in_thread)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(20)
        assert not thread.is_alive()


def all_sent() -> bool:
    return not OutboxEvent.objects.filter(sent_at__isnull=True).exists()


def test_second_relay_stands_by_until_the_first_is_gone(
    broker_url: str, publish: Callable[..., None]
) -> None:
    with ExitStack() as standby:
        with relaying(broker_url):
            publish("one")
            wait_until(all_sent)
            standby.enter_context(relaying(broker_url))
        publish("two")

        wait_until(all_sent)


def test_relay_survives_the_loss_of_its_database_connection(
    broker_url: str, publish: Callable[..., None]
) -> None:
    with relaying(broker_url):
        for n in range(3):
            publish(f"order-{n}")
            wait_until(all_sent)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


def test_relay_survives_a_silent_broker(proxy: StallingProxy, publish: Callable[..., None]) -> None:
    with relaying(proxy.url):
        publish("before")
        wait_until(all_sent)
        proxy.stall()
        publish("meanwhile")
        wait_until(lambda: metrics_of("broker") > 0)
        assert not all_sent()

        proxy.flow()

        wait_until(all_sent)


def metrics_of(kind: str) -> float:
    return metrics.RELAY_ERRORS.labels(kind)._value.get()  # the client has no public reader of one child


def test_event_that_closes_the_channel_holds_up_nobody(
    broker_url: str, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    """A missing exchange or permission makes the broker close the channel, and it does not say over which message."""
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
    wait_until(lambda: broker_admin.call("GET", f"/queues/{vhost}/{QUEUE}").get("policy") == "short")

    def publish_one_more() -> bool:
        publish("more")
        return relay.step() == 0

    wait_until(publish_one_more)

    refused = OutboxEvent.objects.get(sent_at__isnull=True)
    assert "full" in refused.last_error
    assert refused.attempts == 1
