"""What orders publishes is what is committed; what it reads, somebody publishes."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from orders import events
from orders.handlers import router
from servicekit.messaging.contracts import check_consumed, check_contracts
from servicekit.messaging.topology import Topology

SERVICES = Path(__file__).parents[2]
ORDER = UUID("0190b7a1-0000-7000-8000-000000000003")
USER = UUID("0190b7a1-0000-7000-8000-000000000004")
PRODUCT = UUID("0190b7a1-0000-7000-8000-000000000001")
NUMBER = "1000017"
SAMPLES = [
    events.OrderPlaced(
        order_id=ORDER,
        user_id=USER,
        lines=[
            events.PlacedLine(
                product_id=PRODUCT,
                quantity=2,
                unit_price=Decimal("3.39"),
                name="White metal lantern",
            )
        ],
        total=Decimal("6.78"),
        currency="GBP",
        placed_at=datetime(2026, 11, 2, 8, 26, tzinfo=UTC),
        deadline=datetime(2026, 11, 2, 8, 41, tzinfo=UTC),
    ),
    events.OrderConfirmed(
        order_id=ORDER,
        user_id=USER,
        number=NUMBER,
        lines=[events.Line(product_id=PRODUCT, quantity=2)],
        total=Decimal("6.78"),
        currency="GBP",
    ),
    events.OrderRejected(
        order_id=ORDER,
        user_id=USER,
        number=NUMBER,
        shortages=[
            events.Shortage(
                product_id=PRODUCT, requested=5, available=1, reason="insufficient_stock"
            )
        ],
        products=["White metal lantern"],
    ),
    events.OrderCancelled(order_id=ORDER, user_id=USER, number=NUMBER, reason="customer"),
    events.OrderExpired(order_id=ORDER, user_id=USER, number=NUMBER),
    events.OrderShipped(
        order_id=ORDER,
        user_id=USER,
        number=NUMBER,
        shipment_id=UUID("0190b7a1-0000-7000-8000-000000000005"),
        carrier="Royal Mail",
        tracking_number="JD014600003",
        lines=[events.Line(product_id=PRODUCT, quantity=2)],
        is_complete=True,
    ),
    events.OrderDelivered(order_id=ORDER, user_id=USER, number=NUMBER),
    events.OrderReturned(
        order_id=ORDER,
        user_id=USER,
        number=NUMBER,
        return_id=UUID("0190b7a1-0000-7000-8000-000000000006"),
        lines=[events.Line(product_id=PRODUCT, quantity=1)],
    ),
]


def test_published_events_are_the_committed_contracts() -> None:
    check_contracts(events, SAMPLES, SERVICES / "orders" / "contracts")


def test_consumed_events_are_published_by_others() -> None:
    check_consumed(router, SERVICES)


def test_handlers_are_what_the_topology_gives(topology: Topology) -> None:
    """The consumer binds what it handles, and may bind what the topology says."""
    handled = {queue: set(handlers) for queue, handlers in router.queues.items()}

    assert handled == {
        queue: set(types) for queue, types in topology.queues[router.service].items()
    }
