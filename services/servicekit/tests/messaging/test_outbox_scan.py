"""Where the relay looks: it reads little, and skips no event."""

import threading
from collections.abc import Callable
from contextlib import closing
from uuid import uuid4

import pytest
from django.db import connection, transaction

from servicekit.database import direct_connection
from servicekit.messaging import outbox
from servicekit.messaging.outbox_scan import FULL_SCAN_SECONDS
from servicekit.messaging.relay import Relay
from servicekit.models import OutboxEvent
from servicekit.testing.fixtures import BrokerAdmin
from servicekit.testing.waiting import wait_until
from tests.messaging.helpers import peek_ids
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


def test_event_of_a_slow_transaction_is_not_skipped(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    """A high-water mark would skip the position that was assigned first and committed last."""
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


def test_poll_does_not_read_what_an_open_snapshot_keeps(
    relay: Relay, publish: Callable[..., None]
) -> None:
    """A backup keeps every row that was sent meanwhile in the index of unsent rows: each poll would
    read them all.
    """
    with closing(direct_connection()) as backup:
        backup.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM outbox")
        publish(*[str(n) for n in range(2000)])
        while relay.step():
            pass
        for _ in range(2):
            relay.lanes[0].scan_start.request_full_scan()
            assert relay.step() == 0
        full_look = entries_read_by(
            lambda: relay.lanes[0].scan_start.request_full_scan() or relay.step(), relay
        )
        quick_look = entries_read_by(relay.step, relay)

    assert full_look >= 2000
    assert quick_look < 10


def entries_read_by(work: Callable[[], object], relay: Relay) -> int:
    """How many entries of the index of unsent rows the relay's connection reads for some work."""

    def entries() -> int:
        relay.execute("SELECT pg_stat_force_next_flush()", [])
        relay.execute("SELECT 1", [])
        statement = (
            "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'outbox_unsent'"
        )
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
            "INSERT INTO outbox (id, type, subject, sequence, data, traceparent, created_at,"
            " attempts, last_error) "
            "VALUES (%s, %s, 'slow', 1, '{}', '', now(), 0, '')",
            [uuid4(), OrderPlaced.type],
        )
        publish("quick")
        for _ in range(3):
            relay.lanes[0].scan_start.request_full_scan()
            relay.step()
        slow.execute("COMMIT")

    wait_until(lambda: relay.step() == 1, timeout_seconds=FULL_SCAN_SECONDS + 5)

    assert peek_ids(broker_admin, vhost) == ["quick", "slow"]
