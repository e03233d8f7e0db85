"""What fails in a batch is isolated and retried; an outage of the database is waited for."""

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from servicekit import context
from servicekit.messaging import topology
from servicekit.messaging.delivery import (
    HANDLER_FAILED,
)
from servicekit.messaging.publisher import Message, Outcome, Publisher, PublishingFailed
from servicekit.messaging.router import Received, RowsLocked
from servicekit.models import DeadLetter
from servicekit.testing.faults import database_away
from servicekit.testing.waiting import wait_until
from tests.conftest import QUEUE, Recorder, consuming
from tests.messaging.helpers import Sender, in_broker
from tests.project.consumed import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


def test_poison_is_isolated_and_dies_after_its_retries(
    broker_url: str, sender: Sender, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the broker's own counter, every neighbour in a crashing consumer's hand would share the
    penalty.
    """
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
    """psycopg refuses more than 65,535 parameters with an OperationalError that has no SQLSTATE, as
    a lost connection does.
    """
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


def test_event_that_needs_a_locked_row_is_postponed_and_its_neighbours_are_handled_at_once(
    broker_url: str, sender: Sender, recorder: Recorder
) -> None:
    """Isolation would wait for the lock once for each event that needs the row."""
    locked = {f"hot-{n}" for n in range(30)}

    def handle(received: list[Received[Any]]) -> None:
        waiting = {each.envelope.id for each in received if each.event.order_id in locked}
        if waiting and context.avoid_locks.get():
            raise RowsLocked(waiting)
        if waiting:
            raise OperationalError() from psycopg.errors.LockNotAvailable()
        transaction.on_commit(lambda: recorder.done([each.event.order_id for each in received]))

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
    """A publisher whose broker accepts nothing, as while an alarm blocks publishers, until `hears`
    is set.
    """

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
    """An alarm ends when the queues are drained: a consumer that waits for it to end would wait for
    ever.
    """
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
