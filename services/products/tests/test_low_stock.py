"""Low stock is told once for each time that it falls to the threshold, whoever takes the units."""

from collections.abc import Callable

import pytest
from uuid_utils.compat import uuid7

from products.handlers import router
from products.models import Product, StockAlert
from products.services.products import delete_product, edit_product
from products.services.stock import adjust_stock
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.races import at_once
from tests.factories import cancelled, make_product, placed

QUEUE = "products.orders"
LOW = "products.stock_low.v1"
STAFF = uuid7()


def open_alerts() -> int:
    return StockAlert.objects.filter(closed_at=None).count()


def sell(product: Product, quantity: int) -> None:
    deliver(router, QUEUE, [placed({product.pk: quantity})], times=2)


@pytest.mark.django_db(transaction=True)
def test_fall_to_the_threshold_is_told_once() -> None:
    product = make_product(stock=10, low_stock_threshold=5, slug="lamp", name="Lamp")

    sell(product, 4)
    assert outbox_events(LOW) == []
    sell(product, 1)
    sell(product, 2)

    (event,) = outbox_events(LOW)
    assert event["subject"] == str(product.pk)
    assert event["data"] == {
        "product_id": str(product.pk), "slug": "lamp", "name": "Lamp", "stock": 5, "threshold": 5,
    }  # fmt: skip
    assert open_alerts() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("threshold", [0, 3])
def test_stock_above_its_threshold_is_not_low(threshold: int) -> None:
    product = make_product(stock=5, low_stock_threshold=threshold)

    sell(product, 5 if threshold == 0 else 1)

    assert (outbox_events(LOW), open_alerts()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_restock_closes_the_alert_and_the_next_fall_is_told_again() -> None:
    product, order_id = make_product(stock=6, low_stock_threshold=5), uuid7()
    deliver(router, QUEUE, [placed({product.pk: 1}, order_id)])

    adjust_stock(product_id=product.pk, delta=1, reason="delivery", by=STAFF)
    assert open_alerts() == 0
    adjust_stock(product_id=product.pk, delta=-1, reason="damaged", by=STAFF)

    assert len(outbox_events(LOW)) == 2
    assert open_alerts() == 1
    # A cancelled order brings its unit back.
    deliver(router, QUEUE, [cancelled(order_id)], times=2)
    assert open_alerts() == 0
    assert StockAlert.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_batch_that_gives_back_what_it_takes_crosses_nothing() -> None:
    product, order_id = make_product(stock=6, low_stock_threshold=5), uuid7()
    deliver(router, QUEUE, [placed({product.pk: 1}, order_id)])

    deliver(router, QUEUE, [cancelled(order_id), placed({product.pk: 1})])

    assert len(outbox_events(LOW)) == 1
    assert open_alerts() == 1


@pytest.mark.django_db(transaction=True)
def test_rejected_order_crosses_nothing() -> None:
    product = make_product(stock=6, low_stock_threshold=5)

    sell(product, 7)

    assert (outbox_events(LOW), open_alerts()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_purchases_at_once_tell_it_once() -> None:
    product = make_product(stock=120, low_stock_threshold=50)

    def buy() -> None:
        for _ in range(25):
            deliver(router, QUEUE, [placed({product.pk: 1})])

    results = at_once(*[buy] * 4)

    assert results == [None] * 4
    product.refresh_from_db()
    assert product.stock == 20
    (event,) = outbox_events(LOW)
    assert event["data"]["stock"] == 50


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "is_open"),
    [({"low_stock_threshold": 10}, True), ({"low_stock_threshold": 9}, False), ({}, False)],
)
def test_new_threshold_is_looked_at_at_once(change: dict[str, int], is_open: bool) -> None:
    product = make_product(stock=10)

    edit_product(product_id=product.pk, changes=change)
    edit_product(product_id=product.pk, changes={**change, "name": "Again"})

    assert open_alerts() == len(outbox_events(LOW)) == is_open


@pytest.mark.django_db
@pytest.mark.parametrize(
    "end",
    [
        lambda product: edit_product(product_id=product.pk, changes={"low_stock_threshold": 0}),
        lambda product: edit_product(product_id=product.pk, changes={"low_stock_threshold": 4}),
        lambda product: delete_product(product_id=product.pk),
    ],
    ids=["no threshold", "lower threshold", "deleted"],
)
def test_alert_that_lost_its_reason_is_closed(end: Callable[[Product], None]) -> None:
    product = make_product(stock=5)
    edit_product(product_id=product.pk, changes={"low_stock_threshold": 5})

    end(product)

    assert open_alerts() == 0
    assert StockAlert.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_alert_that_is_open_already_keeps_no_order_from_its_stock() -> None:
    product = make_product(stock=6, low_stock_threshold=5)
    StockAlert.objects.create(product=product, stock=5, threshold=5)

    sell(product, 2)

    product.refresh_from_db()
    assert (product.stock, open_alerts(), outbox_events(LOW)) == (4, 1, [])


@pytest.mark.django_db
@pytest.mark.parametrize(("stock", "is_low"), [(6, False), (5, True), (0, True)])
def test_product_that_begins_low_is_told(stock: int, is_low: bool) -> None:
    make_product(stock=stock, low_stock_threshold=5)

    assert open_alerts() == len(outbox_events(LOW)) == is_low


@pytest.mark.django_db
def test_staff_find_what_is_low(staff: Caller, customer: Caller) -> None:
    low, full = make_product(stock=3, slug="low"), make_product(stock=9, slug="full")
    for product in (low, full):
        edit_product(product_id=product.pk, changes={"low_stock_threshold": 3})

    def found(query: str) -> set[str]:
        return {each["slug"] for each in decoded(staff.get(f"/api/products/?{query}"))["results"]}

    assert found("low_stock=true") == {"low"}
    assert found("low_stock=false") == {"full"}
    assert found("low_stock=all") == {"low", "full"}
    problem(customer.get("/api/products/?low_stock=true"), 400)
    ledger = decoded(staff.get(f"/api/products/{low.pk}/stock/"))
    assert (ledger["stock"], ledger["low_stock_threshold"]) == (3, 3)


@pytest.mark.django_db
@pytest.mark.parametrize("threshold", [-1, 1.5, "3", None, 1_000_000_001])
def test_impossible_threshold_is_refused(staff: Caller, threshold: object) -> None:
    body = {"name": "Lamp", "price": "1.00", "currency": "EUR", "low_stock_threshold": threshold}

    problem(staff.post("/api/products/", body), 400, "invalid", "/low_stock_threshold")
