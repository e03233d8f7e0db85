"""What is popular and what goes with what, on the first week of a real shop's orders."""

import csv
from collections import Counter, defaultdict
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from products.handlers import router
from products.models import Product, ProductSales, Purchase
from products.services.recommendations.popularity import VIEWS_PER_UNIT, count_popularity
from products.services.recommendations.related import (
    BUYERS,
    MIN_CUSTOMERS,
    PURCHASES_OF_EACH,
    relate_products,
)
from servicekit.testing.client import Caller, decoded
from servicekit.testing.deliver import deliver
from tests.bulk import make_products
from tests.factories import confirmed

RETAIL = Path(__file__).parents[4] / "shared" / "data" / "online-retail" / "first-week.csv"
PAGE, LOOKED_AT = 50, 40
Orders = dict[str, tuple[UUID, Counter[str]]]


@pytest.fixture(scope="module")
def orders() -> Orders:
    """By invoice: the customer, and the units of each code."""
    if not RETAIL.exists():
        pytest.skip(f"the real orders are not there: {RETAIL.name}")
    found: Orders = {}
    with RETAIL.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            units, customer = int(row["Quantity"]), row["CustomerID"].strip()
            if units > 0 and customer and row["StockCode"][:5].isdecimal():
                person = uuid5(NAMESPACE_URL, customer)
                order = found.setdefault(row["InvoiceNo"], (person, Counter()))
                order[1][row["StockCode"]] += units
    return found


@pytest.fixture
def sold(orders: Orders, transactional_db: None) -> Counter[UUID]:
    """The units of each product, after all orders were confirmed, each twice."""
    codes = sorted({code for _, units in orders.values() for code in units})
    ids = dict(zip(codes, (each.pk for each in make_products(len(codes))), strict=True))
    total: Counter[UUID] = Counter()
    messages = []
    for person, units in orders.values():
        lines = {ids[code]: count for code, count in units.items()}
        messages.append(confirmed(lines, person))
        total.update(lines)
    for start in range(0, len(messages), 100):
        deliver(router, "products.sales", messages[start : start + 100], times=2)
    return total


class Purchases:
    """All that was bought, the latest first, and counted row by row."""

    def __init__(self) -> None:
        self.baskets: dict[UUID, list[UUID]] = defaultdict(list)
        self.buyers: dict[UUID, list[UUID]] = defaultdict(list)
        for customer_id, product_id in Purchase.objects.order_by("-id").values_list(
            "customer_id", "product_id"
        ):
            self.baskets[customer_id].append(product_id)
            self.buyers[product_id].append(customer_id)

    def bought_with(self, product_id: UUID) -> Counter[UUID]:
        """Count who of a product's latest buyers bought each other product lately."""
        counts = Counter(
            other
            for buyer in self.buyers[product_id][:BUYERS]
            for other in self.baskets[buyer][:PURCHASES_OF_EACH]
        )
        del counts[product_id]
        return Counter({key: count for key, count in counts.items() if count >= MIN_CUSTOMERS})


@pytest.mark.django_db(transaction=True)
def test_real_sales_make_the_popular_products(nobody: Caller, sold: Counter[UUID]) -> None:
    count_popularity(seconds=60)

    page = decoded(nobody.get(f"/api/products/popular/?page_size={PAGE}"))["results"]

    assert len(sold) > 1000
    units = [sold[UUID(each["id"])] for each in page]
    assert units == sorted(sold.values(), reverse=True)[:PAGE]
    assert sum(ProductSales.objects.values_list("units", flat=True)) == sold.total()
    scores = dict(Product.objects.values_list("id", "popularity"))
    assert scores == {key: VIEWS_PER_UNIT * count for key, count in sold.items()}


@pytest.mark.django_db(transaction=True)
def test_real_baskets_relate_products(nobody: Caller, sold: Counter[UUID]) -> None:
    relate_products(seconds=60)

    purchases = Purchases()
    for product_id, _ in sold.most_common(LOOKED_AT):
        answer = decoded(nobody.get(f"/api/products/{product_id}/related/"))["results"]
        related, together = [UUID(each["id"]) for each in answer], purchases.bought_with(product_id)
        best = sorted(together.values(), reverse=True)[: len(related)]
        assert [together[key] for key in related] == best
        assert len(related) == min(12, len(together))
