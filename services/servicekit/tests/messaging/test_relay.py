"""The relay against real PostgreSQL and RabbitMQ: every committed event is published."""

import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.messaging.publisher import Publisher, PublishingFailed
from servicekit.messaging.relay import Relay
from servicekit.models import OutboxEvent
from servicekit.testing.faults import StallingProxy
from servicekit.testing.fixtures import BrokerAdmin
from servicekit.testing.waiting import wait_until
from tests.messaging.helpers import all_sent, peek_ids, relay_errors, relaying

pytestmark = pytest.mark.django_db(transaction=True)


def test_events_leave_oldest_first_and_are_marked(
    relay: Relay, publish: Callable[..., None], broker_admin: BrokerAdmin, vhost: str
) -> None:
    names = [f"order-{n}" for n in range(25)]
    publish(*names)

    assert relay.step() == 25

    assert peek_ids(broker_admin, vhost) == names
    assert not OutboxEvent.objects.filter(sent_at__isnull=True).exists()
    assert relay.step() == 0


@pytest.mark.parametrize("spoil", [{"data": b'"' + b"x" * MAX_DATA_BYTES + b'"'}, {"type": ""}])
def test_event_that_can_never_leave_is_parked_and_the_next_flows(
    relay: Relay,
    publish: Callable[..., None],
    broker_admin: BrokerAdmin,
    vhost: str,
    spoil: dict[str, Any],
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


def test_broker_away_leaves_every_row_unsent(publish: Callable[..., None]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"amqp://a:b@127.0.0.1:{closed.getsockname()[1]}/x"
    publish("waiting")

    with closing(Relay(Publisher(url))) as relay, pytest.raises(PublishingFailed):
        relay.step()

    assert OutboxEvent.objects.filter(sent_at__isnull=True).count() == 1


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
        wait_until(lambda: relay_errors("broker") > 0)
        assert not all_sent()

        proxy.flow()

        wait_until(all_sent)
