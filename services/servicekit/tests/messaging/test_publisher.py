"""The publisher: each confirm belongs to its message, and a silent broker is given up in time."""

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
