"""The consumer against real PostgreSQL and RabbitMQ: nothing is lost, nothing happens twice."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from servicekit.messaging import connection as amqp_connection
from servicekit.messaging.consumer import Consumer
from servicekit.models import DeadLetter, InboxEvent
from servicekit.operations import heartbeats
from servicekit.testing.waiting import wait_until
from tests.conftest import Recorder, consuming
from tests.messaging.helpers import Sender

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_killed_database_connection_is_survived(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
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
    """py-amqp sends no heartbeat while a handler runs: the broker would drop the connection and
    deliver again.
    """
    monkeypatch.setattr(amqp_connection, "HEARTBEAT_SECONDS", 2)
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
    stopping: list[Consumer] = []
    recorder.fail = lambda _order_id: stopping[0].stop() if stopping else None

    with consuming(recorder, broker_url, batch=5) as running:
        stopping.append(running)
        wait_until(lambda: recorder.handled)
    recorder.fail = lambda _order_id: None
    assert len(recorder.handled) < 50
    with consuming(recorder, broker_url):
        wait_until(lambda: len(recorder.handled) == 50)

    assert sorted(recorder.handled) == sorted(f"order-{n}" for n in range(50))


def test_consumer_that_waits_for_its_broker_records_heartbeats(recorder: Recorder) -> None:
    assert heartbeats.stale(["consumer"]) == ["consumer"]

    with consuming(recorder, "amqp://nobody@127.0.0.1:1/none"):
        wait_until(lambda: heartbeats.stale(["consumer"]) == [])
