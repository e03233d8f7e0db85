"""Urgent events go first, patient ones are not forgotten, and each aggregate's keep their order."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from types import ModuleType
from typing import ClassVar

import pytest

from servicekit.messaging import outbox_lanes
from servicekit.messaging.envelope import MAX_DATA_BYTES
from servicekit.messaging.publisher import Publisher, PublishingFailed
from servicekit.messaging.relay import Relay
from servicekit.models import OutboxEvent
from servicekit.testing.fixtures import BrokerAdmin
from servicekit.testing.waiting import wait_until
from tests.messaging.helpers import add_event, all_sent, peek_ids, relaying
from tests.project.events import OrderPlaced

pytestmark = pytest.mark.django_db(transaction=True)

URGENT = "orders.order_cancelled.v1"
Publish = Callable[..., None]
# What `publish` writes is patient here.
PATIENT = [OrderPlaced.type]


@pytest.fixture
def relay(broker_url: str) -> Iterator[Relay]:
    with closing(Relay(Publisher(broker_url), patient_types=PATIENT)) as relay:
        yield relay


def unsent() -> list[str]:
    return list(OutboxEvent.objects.unsent().values_list("subject", flat=True))


def test_urgent_event_waits_for_no_patient_ones_before_it(
    relay: Relay, publish: Publish, broker_admin: BrokerAdmin, vhost: str
) -> None:
    publish(*[f"product-{n}" for n in range(3)])
    add_event(URGENT, "order")

    assert relay.step() == 4

    assert peek_ids(broker_admin, vhost) == ["order", "product-0", "product-1", "product-2"]


def test_urgent_event_waits_for_one_short_window_at_most(
    relay: Relay, publish: Publish, broker_admin: BrokerAdmin, vhost: str
) -> None:
    short = outbox_lanes.PATIENT_ROWS
    publish(*[f"product-{n}" for n in range(2 * short + 1)])

    assert relay.step() == short
    add_event(URGENT, "order")
    assert relay.step() == short + 1
    assert relay.step() == 1

    assert peek_ids(broker_admin, vhost).index("order") == short
    assert all_sent()


def test_patient_events_move_on_however_many_urgent_ones_there_are(
    broker_url: str, publish: Publish, broker_admin: BrokerAdmin, vhost: str
) -> None:
    publish("product-0", "product-1")
    for number in range(5):
        add_event(URGENT, f"order-{number}")

    with closing(Relay(Publisher(broker_url), batch=2, patient_types=PATIENT)) as relay:
        assert relay.step() == 4

    assert peek_ids(broker_admin, vhost) == ["order-0", "order-1", "product-0", "product-1"]
    assert unsent() == ["order-2", "order-3", "order-4"]


def test_patient_events_below_what_was_sent_are_found_at_once(
    relay: Relay, publish: Publish, broker_admin: BrokerAdmin, vhost: str
) -> None:
    """A lane's quick looks begin where its own rows were sent, not where the other's were."""
    publish(*[f"product-{n}" for n in range(5 * outbox_lanes.PATIENT_ROWS)])
    add_event(URGENT, "order")
    urgent = relay.lanes[0]
    for _ in range(2):
        urgent.scan_start.request_full_scan()
        relay.step()

    assert relay.step() == outbox_lanes.PATIENT_ROWS


def test_events_of_one_aggregate_leave_in_their_order(
    relay: Relay, publish: Publish, broker_admin: BrokerAdmin, vhost: str
) -> None:
    """Killed between a confirm and its mark, between the lanes, and with a window half full."""
    for version in range(3):
        publish(*[f"product-{n} at {version}" for n in range(60)])
        add_event(URGENT, f"order-{version}")

    relay.step()
    first = outbox_lanes.PATIENT_ROWS
    # What was confirmed and not marked is sent again by the next relay.
    OutboxEvent.objects.filter(type=OrderPlaced.type).update(sent_at=None)
    relay.close()
    while relay.step():
        pass

    sent = [name for name in peek_ids(broker_admin, vhost) if name.startswith("product")]
    expected = [f"product-{n} at {version}" for version in range(3) for n in range(60)]
    assert sent == expected[:first] + expected


def test_patient_events_leave_after_a_death_between_the_lanes(
    broker_url: str, publish: Publish, broker_admin: BrokerAdmin, vhost: str
) -> None:
    publish("product")
    add_event(URGENT, "order")
    with closing(Relay(Publisher(broker_url), patient_types=PATIENT)) as first:
        first.lanes.pop()
        first.step()
    assert unsent() == ["product"]

    with relaying(broker_url, patient_types=PATIENT):
        wait_until(all_sent)

    assert peek_ids(broker_admin, vhost) == ["order", "product"]


def test_event_over_which_the_channel_is_closed_narrows_its_own_lane_only(
    relay: Relay, publish: Publish
) -> None:
    publish(*[f"product-{n}" for n in range(10)])
    # There is no such exchange.
    OutboxEvent.objects.filter(subject="product-5").update(type="strange.thing_done.v1")
    relay.lanes[1].patient_types.append("strange.thing_done.v1")

    for number in range(20):
        add_event(URGENT, f"order-{number}")
        with suppress(PublishingFailed):
            relay.step()
        assert f"order-{number}" not in unsent()
        assert relay.lanes[0].window == relay.lanes[0].most

    assert unsent() == ["product-5"]
    assert OutboxEvent.objects.get(subject="product-5").not_before is not None


def test_large_patient_events_take_no_room_from_urgent_ones(relay: Relay, publish: Publish) -> None:
    publish(*[f"product-{n}" for n in range(40)])
    OutboxEvent.objects.update(data=b'"' + b"x" * (MAX_DATA_BYTES - 2) + b'"')
    add_event(URGENT, "order-0")
    add_event(URGENT, "order-1")

    assert [relay.step() for _ in range(4)] == [2 + 16, 16, 8, 0]


def test_lane_of_an_event_is_its_class_attribute() -> None:
    class Patient(OrderPlaced):
        __module__ = "orders.events"
        is_urgent: ClassVar[bool] = False

    events = ModuleType("orders.events")
    vars(events).update(Patient=Patient, OrderPlaced=OrderPlaced)

    assert outbox_lanes.patient_types(events) == ["orders.patient.v1"]
