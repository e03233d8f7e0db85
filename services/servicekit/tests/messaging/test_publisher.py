"""The publisher: each confirm belongs to its message, and a silent broker is given up in time."""

import socket
import sys
from contextlib import closing

import pytest

from servicekit.messaging.publisher import Publisher, PublishingFailed
from servicekit.testing.faults import StallingProxy
from tests.messaging.helpers import message
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "kilobytes", [1, 20_000], ids=["awaiting a confirm", "in the middle of sending"]
)
def test_blocked_broker_fails_in_time_instead_of_hanging(
    proxy: StallingProxy, kilobytes: int
) -> None:
    with closing(Publisher(proxy.url, confirm_timeout_seconds=1)) as publisher:
        publisher.publish([message(1)])
        proxy.stall()

        with pytest.raises(PublishingFailed):
            publisher.publish([message(2, body=b"x" * 1000 * kilobytes)])


def test_late_confirm_is_not_taken_for_another_message(proxy: StallingProxy) -> None:
    """py-amqp's own confirm takes the late ack of message 2 for message 3, which may be lost."""
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
    window = [
        message(n, OrderPlaced.type if n % 3 else "orders.nobody_listens.v1") for n in range(300)
    ]

    with closing(Publisher(broker_url)) as publisher:
        outcome = publisher.publish(window)

    assert set(outcome.refused) == {n for n in range(300) if n % 3 == 0}
    assert set(outcome.confirmed) == {n for n in range(300) if n % 3}


def test_window_travels_in_few_segments(broker_url: str) -> None:
    """For each segment the kernel wakes the broker, and both pay for it."""
    with closing(Publisher(broker_url)) as publisher:
        publisher.publish([message(0)])
        before = _segments_sent(publisher)

        publisher.publish([message(n) for n in range(1, 1001)])

        # Acknowledgements of the broker's confirms are segments, too.
        assert _segments_sent(publisher) - before < 500


def _segments_sent(publisher: Publisher) -> int:
    """Return tcpi_segs_out of struct tcp_info (linux/tcp.h)."""
    connection = publisher._connection.connection.transport.sock  # type: ignore[union-attr]
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 140)
    return int.from_bytes(information[136:140], sys.byteorder)
