"""What products publishes is what is committed; what it reads, somebody publishes."""

from decimal import Decimal
from pathlib import Path
from uuid import UUID

from products import events
from products.handlers import router
from servicekit.messaging.contracts import check_consumed, check_contracts
from servicekit.messaging.topology import Topology

SERVICES = Path(__file__).parents[2]
PRODUCT = UUID("0190b7a1-0000-7000-8000-000000000001")
CATEGORY = UUID("0190b7a1-0000-7000-8000-000000000002")
ORDER = UUID("0190b7a1-0000-7000-8000-000000000003")
SAMPLES = [
    events.ProductChanged(
        product_id=PRODUCT,
        version=3,
        slug="white-metal-lantern",
        sku="85123A",
        name="White metal lantern",
        description="For candles.",
        translations={"de": {"name": "Weiße Metalllaterne", "description": "Für Kerzen."}},
        attributes={"colour": "white", "height": 12.5, "is_foldable": False},
        price=Decimal("3.39"),
        compare_at_price=Decimal("4.50"),
        currency="GBP",
        active=True,
        category=events.CategoryState(id=CATEGORY, slug="lanterns", name="Lanterns"),
    ),
    events.ProductDeleted(product_id=PRODUCT, version=4),
    events.StockReserved(order_id=ORDER, lines=[events.Line(product_id=PRODUCT, quantity=2)]),
    events.StockRejected(
        order_id=ORDER,
        shortages=[
            events.Shortage(
                product_id=PRODUCT, requested=5, available=1, reason="insufficient_stock"
            )
        ],
    ),
    events.StockReleased(order_id=ORDER, lines=[events.Line(product_id=PRODUCT, quantity=2)]),
    events.ReservationUnsettled(order_id=ORDER, asked_before=False),
    events.ReviewPublished(
        review_id=UUID("0190b7a1-0000-7000-8000-000000000005"),
        product_id=PRODUCT,
        customer_id=UUID("0190b7a1-0000-7000-8000-000000000004"),
        rating=4,
        title="Bright",
        comment="It lights the whole garden.",
    ),
    events.StockLow(
        product_id=PRODUCT,
        slug="white-metal-lantern",
        name="White metal lantern",
        stock=5,
        threshold=5,
    ),
]


def test_published_events_are_the_committed_contracts() -> None:
    check_contracts(events, SAMPLES, SERVICES / "products" / "contracts")


def test_consumed_events_are_published_by_others() -> None:
    check_consumed(router, SERVICES)


def test_handlers_are_what_the_topology_gives(topology: Topology) -> None:
    """The consumer binds what it handles, and may bind what the topology says."""
    handled = {queue: set(handlers) for queue, handlers in router.queues.items()}

    assert handled == {
        queue: set(types) for queue, types in topology.queues[router.service].items()
    }
