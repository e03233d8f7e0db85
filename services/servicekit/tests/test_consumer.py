"""The consumer against real PostgreSQL and RabbitMQ: nothing lost, nothing twice, no neighbour hurt."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from servicekit import context
from servicekit.messaging import consumer, dead_letters, topology
from servicekit.messaging.delivery import (
    HANDLER_FAILED,
    ID_REUSED,
    INVALID_DATA,
    INVALID_ENVELOPE,
    NOT_JSON,
    TOO_LARGE,
    UNKNOWN_TYPE,
    Delivery,
)
from servicekit.messaging.publisher import Message, Outcome, Publisher, PublishingFailed
from servicekit.messaging.router import Received, RowsLocked
from servicekit.models import DeadLetter, InboxEvent
from servicekit.operations import heartbeats
from servicekit.testing.deliver import make_delivery
from servicekit.testing.faults import database_away
from servicekit.testing.waiting import wait_until
from tests.conftest import QUEUE, Recorder, consuming
from tests.project.consumed import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


class Sender:
    """Puts raw messages into the work queue, as a producer or a stranger might."""

    def __init__(self, url: str) -> None:
        self._publisher = Publisher(url)
        self._key = 0

    def raw(self, body: bytes, *, content_type: str = "application/json", **headers: Any) -> None:
        self._key += 1
        message = Message(self._key, topology.redrive_name("products"), QUEUE, body, headers, content_type)
        assert not self._publisher.publish([message]).refused

    def event(self, order_id: str, *, event_id: Any = None, **data: Any) -> None:
        delivery = make_delivery(OrderPlaced.type, {"order_id": order_id, **data}, event_id=event_id)
        self.raw(delivery.body, **delivery.headers)

    def close(self) -> None:
        self._publisher.close()


@pytest.fixture
def sender(broker_url: str) -> Any:
    sender = Sender(broker_url)
    yield sender
    sender.close()


def in_broker(admin: Any, vhost: str) -> int:
    """Messages anywhere in the virtual host, ready or unacknowledged, by asking each queue itself."""
    return sum(queue.get("messages", 0) for queue in admin.call("GET", f"/queues/{vhost}"))


def test_waiting_events_form_a_batch_and_are_handled_in_order(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    names = [f"order-{n}" for n in range(250)]
    for name in names:
        sender.event(name)

    with consuming(recorder, broker_url, batch=100):
        wait_until(lambda: len(recorder.handled) == 250)

    assert recorder.handled == names
    assert max(recorder.batches) <= 100
    assert len(recorder.batches) < 25
    assert InboxEvent.objects.count() == 250


def test_repeated_event_has_one_effect(broker_url: str, sender: Sender, recorder: Recorder) -> None:
    event_id = uuid4()
    for _ in range(5):
        sender.event("once", event_id=event_id)
    sender.event("last")

    with consuming(recorder, broker_url):
        wait_until(lambda: "last" in recorder.handled)
    with consuming(recorder, broker_url):
        sender.event("once", event_id=event_id)
        sender.event("very last")
        wait_until(lambda: "very last" in recorder.handled)

    assert recorder.handled == ["once", "last", "very last"]
    assert not DeadLetter.objects.exists()


BAD = {
    "empty": (b"", {}, INVALID_ENVELOPE),
    "no envelope": (b"{}", {}, INVALID_ENVELOPE),
    "not json": (b"{nope", "headers", NOT_JSON),
    "a scalar": (b"7", "headers", INVALID_DATA),
    "missing field": (b"{}", "headers", INVALID_DATA),
    "wrong type of field": (b'{"order_id": [1]}', "headers", INVALID_DATA),
    "not utf-8": (b'{"order_id": "\xff\xfe"}', "headers", NOT_JSON),
    "5 MB": (b"x" * 5_000_000, "headers", TOO_LARGE),
    "deep": (b"[" * 100_000, "headers", NOT_JSON),
    "strange headers": (
        b"{}",
        {"souk-attempt": -100, "ce-id": {"a": [1.5]}, "nul\0": ["\0", {"a": b"\xff"}]},
        INVALID_ENVELOPE,
    ),
    "nul in a header": (b"{}", {"ce-id": "a\0b", "ce-type": "\0"}, INVALID_ENVELOPE),
}


def test_bad_messages_become_dead_letters_and_good_ones_settle(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    for name, (body, headers, _reason) in BAD.items():
        sender.event(f"before {name}")
        sender.raw(body, **(make_delivery(OrderPlaced.type, {}).headers if headers == "headers" else headers))
    sender.raw(b"{}", **make_delivery("orders.never_heard_of.v1", {}).headers)
    sender.raw(b"{}", content_type="text/plain", **make_delivery(OrderPlaced.type, {}).headers)
    sender.event("after all")

    with consuming(recorder, broker_url):
        wait_until(lambda: "after all" in recorder.handled)
        wait_until(lambda: DeadLetter.objects.count() == len(BAD) + 2)

    assert len(recorder.handled) == len(BAD) + 1
    expected = [reason for _, _, reason in BAD.values()] + [
        UNKNOWN_TYPE,
        INVALID_ENVELOPE,
    ]
    assert sorted(DeadLetter.objects.values_list("reason", flat=True)) == sorted(expected)
    assert not DeadLetter.objects.filter(detail="").exists()


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"deeper": value}
    return value


@pytest.mark.parametrize(
    "properties",
    [{"timestamp": 1_700_000_000_000_000}, {"headers": nested(600)}],
    ids=["a timestamp in another unit", "headers nested 600 deep"],
)
def test_message_that_the_client_library_cannot_read_is_a_dead_letter(
    broker_url: str,
    sender: Sender,
    recorder: Recorder,
    broker_admin: Any,
    vhost: str,
    properties: dict[str, Any],
) -> None:
    """py-amqp raises from the middle of the stream: the connection would be lost again and again."""
    message = {"routing_key": QUEUE, "payload": "{}", "payload_encoding": "string", "properties": properties}
    answer = broker_admin.call(
        "POST", f"/exchanges/{vhost}/{topology.redrive_name('products')}/publish", message
    )
    assert answer == {"routed": True}
    sender.event("behind it")

    with consuming(recorder, broker_url):
        wait_until(lambda: recorder.handled == ["behind it"])

    assert DeadLetter.objects.get().reason == INVALID_ENVELOPE


@pytest.mark.parametrize(
    "headers",
    [{b"\xff": 1}, {"nan": float("nan")}, {"a": nested(3000)}, {"\ud800": "\udfff"}, {"at": timezone.now()}],
    ids=["key of bytes", "not a number", "deep", "lone surrogates", "time"],
)
def test_any_headers_fit_in_a_dead_letter(headers: dict[str, Any]) -> None:
    delivery = Delivery(tag=1, body=b"\0\xff", headers=headers)

    dead_letters.store(QUEUE, delivery, NOT_JSON, "d\0tail")

    assert bytes(DeadLetter.objects.get().body) == b"\0\xff"


def test_what_is_added_on_the_way_makes_no_other_letter() -> None:
    """A crash between the copy for a retry and the acknowledgement leaves the same event twice, with other headers."""
    first = make_delivery(OrderPlaced.type, {"order_id": "one"})
    for added in ({}, {"souk-attempt": 2}, {"x-death": [{"count": 3}]}, {"x-delivery-count": 1}):
        letter = Delivery(1, first.body, {**first.headers, **added}, first.content_type)
        dead_letters.store(QUEUE, letter, HANDLER_FAILED, "")

    assert DeadLetter.objects.count() == 1


def test_known_id_with_other_content_is_an_alarm(broker_url: str, sender: Sender, recorder: Recorder) -> None:
    event_id = uuid4()
    sender.event("true", event_id=event_id)
    sender.event("forged", event_id=event_id)

    with consuming(recorder, broker_url):
        wait_until(DeadLetter.objects.exists)

    assert recorder.handled == ["true"]
    assert DeadLetter.objects.get().reason == ID_REUSED


def test_poison_is_isolated_and_dies_after_its_retries(
    broker_url: str, sender: Sender, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the broker's own counter, every neighbour in a crashing consumer's hand would share the penalty."""
    tries = []

    def fail(order_id: str) -> None:
        if order_id == "poison":
            tries.append(order_id)
            raise ValueError("cannot digest this")

    recorder.fail = fail
    monkeypatch.setattr(topology, "RETRY_DELAYS", {"1s": 1})
    for n in range(10):
        sender.event("poison" if n == 5 else f"innocent-{n}")

    with consuming(recorder, broker_url):
        wait_until(DeadLetter.objects.exists)
        wait_until(lambda: len(recorder.handled) == 9)

    letter = DeadLetter.objects.get()
    assert letter.reason == HANDLER_FAILED
    assert letter.detail == "ValueError: cannot digest this"
    assert letter.queue == QUEUE
    assert len(tries) == 3  # in its batch, alone, and after the delay


def test_redriven_letter_is_handled_after_the_repair(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    sender.raw(b'{"order_id": "later"}', **make_delivery("orders.order_renamed.v1", {}).headers)
    with consuming(recorder, broker_url):
        wait_until(DeadLetter.objects.exists)

    recorder.router.queues[QUEUE]["orders.order_renamed.v1"] = recorder.router.queues[QUEUE][OrderPlaced.type]
    letter = DeadLetter.objects.get()
    publisher = Publisher(broker_url)
    dead_letters.redrive(
        letter_ids=[letter.pk], publisher=publisher, service="products", by="ops", note="handler added"
    )
    publisher.close()
    with consuming(recorder, broker_url):
        wait_until(lambda: recorder.handled == ["later"])

    letter.refresh_from_db()
    assert letter.state == DeadLetter.State.REDRIVEN
    assert [(one.action, one.by, one.note) for one in letter.actions.all()] == [
        ("redriven", "ops", "handler added")
    ]
    with pytest.raises(dead_letters.LetterNotWaiting):
        dead_letters.discard(letter_ids=[letter.pk], by="ops", note="")


def test_database_away_burns_no_attempt(
    broker_url: str, sender: Sender, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    sender.event("patient")

    with database_away(), consuming(recorder, broker_url):
        wait_until(lambda: caplog.text.count("consumer waits") >= 4)
        assert recorder.handled == []
    with consuming(recorder, broker_url):
        wait_until(lambda: recorder.handled == ["patient"])

    assert not DeadLetter.objects.exists()


def test_driver_error_on_a_live_connection_is_no_outage(
    broker_url: str, sender: Sender, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psycopg refuses more than 65,535 parameters with an OperationalError that has no SQLSTATE, as a lost connection does."""
    monkeypatch.setattr(topology, "RETRY_DELAYS", {"1s": 1})

    def fail(order_id: str) -> None:
        if order_id == "endless":
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {', '.join(['%s'] * 65_536)}", [1] * 65_536)

    recorder.fail = fail
    for order_id in ("before", "endless", "after"):
        sender.event(order_id)

    with consuming(recorder, broker_url):
        wait_until(lambda: sorted(recorder.handled) == ["after", "before"])
        wait_until(DeadLetter.objects.exists)

    assert DeadLetter.objects.get().reason == HANDLER_FAILED


def test_message_that_ends_its_database_connection_is_isolated(
    broker_url: str, sender: Sender, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "RETRY_DELAYS", {"1s": 1})

    def fail(order_id: str) -> None:
        if order_id == "crash":
            connection.connection.close()  # as when the server process crashes over it
            connection.cursor()

    recorder.fail = fail
    for order_id in ("before", "crash", "after"):
        sender.event(order_id)

    with consuming(recorder, broker_url):
        wait_until(lambda: sorted(recorder.handled) == ["after", "before"])
        wait_until(DeadLetter.objects.exists)

    assert DeadLetter.objects.get().reason == HANDLER_FAILED


def test_event_that_needs_a_locked_row_is_put_off_and_its_neighbours_are_handled_at_once(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    """Isolation would wait for the lock once for each event that needs the row."""
    locked = {f"hot-{n}" for n in range(30)}

    def handle(received: list[Received[Any]]) -> None:
        waiting = {one.envelope.id for one in received if one.event.order_id in locked}
        if waiting and context.avoid_locks.get():
            raise RowsLocked(waiting)
        if waiting:
            raise OperationalError() from psycopg.errors.LockNotAvailable()
        transaction.on_commit(lambda: recorder.done([one.event.order_id for one in received]))

    recorder.router.queues.clear()
    recorder.router.handles_batch(QUEUE, OrderPlaced)(handle)
    for order_id in (*sorted(locked), "cold"):
        sender.event(order_id)

    with consuming(recorder, broker_url):
        wait_until(lambda: recorder.handled == ["cold"])
        locked.clear()
        wait_until(lambda: len(recorder.handled) == 31)

    assert not DeadLetter.objects.exists()


class DeafPublisher(Publisher):
    """A publisher whose broker accepts nothing, as while an alarm blocks publishers, until `hears` is set."""

    hears = False

    def publish(self, messages: Sequence[Message]) -> Outcome:
        if not self.hears:
            raise PublishingFailed("blocked")
        return super().publish(messages)


def test_consumer_goes_on_while_the_broker_takes_no_retries(
    broker_url: str,
    broker_admin: Any,
    vhost: str,
    sender: Sender,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An alarm ends when the queues are drained: a consumer that waits for it to end would wait for ever."""
    monkeypatch.setattr(topology, "RETRY_DELAYS", {"1s": 1, "10s": 1, "60s": 1})
    broken = {"broken"}

    def fail(order_id: str) -> None:
        if order_id in broken:
            raise ValueError("cannot digest this")

    recorder.fail = fail
    for order_id in ("broken", "before", "after"):
        sender.event(order_id)

    with consuming(recorder, broker_url, publisher=DeafPublisher(broker_url)):
        wait_until(lambda: sorted(recorder.handled) == ["after", "before"])
        broken.clear()
        sender.event("last")
        wait_until(lambda: sorted(recorder.handled) == ["after", "before", "broken", "last"])
        wait_until(lambda: in_broker(broker_admin, vhost) == 0)

    assert not DeadLetter.objects.exists()


def test_killed_database_connection_is_survived(broker_url: str, sender: Sender, recorder: Recorder) -> None:
    with consuming(recorder, broker_url):
        for n in range(5):
            sender.event(f"order-{n}")
            wait_until(lambda n=n: len(recorder.handled) == n + 1)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    assert not DeadLetter.objects.exists()


def test_handler_longer_than_the_heartbeat_keeps_its_connection(
    broker_url: str, sender: Sender, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """py-amqp sends no heartbeat while a handler runs: the broker would drop the connection and deliver again."""
    monkeypatch.setattr(topology, "HEARTBEAT_SECONDS", 2)
    runs = []

    def fail(order_id: str) -> None:
        runs.append(order_id)
        if order_id == "slow":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(9)")

    recorder.fail = fail
    sender.event("slow")
    sender.event("quick")

    with consuming(recorder, broker_url, batch=1):
        wait_until(lambda: recorder.handled == ["slow", "quick"])

    assert runs == ["slow", "quick"]


def test_what_the_broker_gave_up_on_is_in_the_table(
    broker_url: str, sender: Sender, recorder: Recorder, broker_admin: Any, vhost: str
) -> None:
    sender.event("hot potato")
    get = {"count": 1, "ackmode": "reject_requeue_false", "encoding": "auto"}
    assert broker_admin.call("POST", f"/queues/{vhost}/{QUEUE}/get", get)

    with consuming(recorder, broker_url):
        letter = wait_until(lambda: DeadLetter.objects.first())

    assert letter.queue == QUEUE
    assert json.loads(bytes(letter.body)) == {"order_id": "hot potato"}
    assert letter.reason == "rejected"


def test_two_consumers_share_a_queue_without_doubling(
    broker_url: str, sender: Sender, recorder: Recorder, publish: Callable[..., None]
) -> None:
    ids = [uuid4() for _ in range(40)]
    for _ in range(3):
        for event_id in ids:
            sender.event(str(event_id), event_id=event_id)

    with consuming(recorder, broker_url, batch=5), consuming(recorder, broker_url, batch=5):
        wait_until(lambda: InboxEvent.objects.count() == 40)
        sender.event("end")
        wait_until(lambda: "end" in recorder.handled)

    assert sorted(recorder.handled) == sorted([*map(str, ids), "end"])


def test_stop_gives_back_what_is_in_hand(
    broker_url: str, sender: Sender, recorder: Recorder, broker_admin: Any, vhost: str
) -> None:
    for n in range(50):
        sender.event(f"order-{n}")
    stopping: list[consumer.Consumer] = []
    recorder.fail = lambda _order_id: stopping[0].stop() if stopping else None

    with consuming(recorder, broker_url, batch=5) as running:
        stopping.append(running)
        wait_until(lambda: recorder.handled)
    recorder.fail = lambda _order_id: None
    assert len(recorder.handled) < 50
    with consuming(recorder, broker_url):
        wait_until(lambda: len(recorder.handled) == 50)

    assert sorted(recorder.handled) == sorted(f"order-{n}" for n in range(50))


def test_consumer_that_waits_for_its_broker_gives_signs_of_life(recorder: Recorder) -> None:
    assert heartbeats.stale(["consumer"]) == ["consumer"]

    with consuming(recorder, "amqp://nobody@127.0.0.1:1/none"):
        wait_until(lambda: heartbeats.stale(["consumer"]) == [])
