"""The outbox: an event is published if, and only if, its transaction commits."""

from collections.abc import Callable

import pytest
from django.db import transaction

from servicekit.messaging import outbox
from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.messaging.relay import Relay
from servicekit.models import OutboxEvent
from servicekit.testing.fixtures import BrokerAdmin
from tests.messaging.helpers import peek_ids
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_larger_event_than_may_leave_is_not_written(publish: Callable[..., None]) -> None:
    with pytest.raises(outbox.EventTooLarge):
        publish("x" * MAX_DATA_BYTES)

    assert not OutboxEvent.objects.exists()
