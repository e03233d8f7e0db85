"""Placing: at the catalogue's prices, all of it or nothing."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from orders.errors import MixedCurrencies, ProductUnavailable
from orders.models import Order, OrderHistory, OrderLine, Status
from orders.selectors import list_orders, with_lines
from orders.services.placement import OrderItem, place_order
from servicekit.testing.deliver import outbox_events
from tests.factories import make_product


def place(*pairs: tuple[UUID, int]) -> dict[str, Any]:
    items = [OrderItem(product_id, quantity) for product_id, quantity in pairs]
    return place_order(user_id=uuid7(), items=items)


@pytest.mark.django_db
def test_place_order_writes_order_lines_history_and_event_together() -> None:
    first, second = make_product(price="3.39"), make_product(price="0.50", name="Candle")

    placed = place((first.product_id, 2), (second.product_id, 3))

    order = Order.objects.get()
    assert (order.pk, order.status, order.total, order.currency) == (
        placed["id"],
        Status.PENDING,
        Decimal("8.28"),
        "GBP",
    )
    assert [line.quantity for line in OrderLine.objects.order_by("id")] == [2, 3]
    history = OrderHistory.objects.get()
    assert (history.order_id, history.to_status, history.version) == (order.pk, "pending", 1)
    (event,) = outbox_events()
    assert (event["type"], event["subject"], event["sequence"]) == (
        "orders.order_placed.v1",
        str(order.pk),
        1,
    )
    assert event["data"]["total"] == "8.28"
    assert event["data"]["lines"][1] == {
        "product_id": str(second.product_id),
        "quantity": 3,
        "unit_price": "0.50",
        "name": "Candle",
    }


@pytest.mark.django_db
def test_place_order_sums_lines_of_one_product() -> None:
    product = make_product(price="2.00")

    order = place((product.product_id, 2), (product.product_id, 3))

    assert [(line["quantity"], line["line_total"]) for line in order["lines"]] == [
        (5, Decimal("10.00"))
    ]
    assert outbox_events()[0]["data"]["lines"][0]["quantity"] == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("overrides", [{"active": False}, {"deleted": True}])
def test_place_order_refuses_what_is_not_for_sale_and_leaves_nothing(
    overrides: dict[str, bool],
) -> None:
    good, bad = make_product(), make_product(**overrides)

    with pytest.raises(ProductUnavailable) as refusal:
        place((good.product_id, 1), (bad.product_id, 1), (uuid7(), 1))

    assert [error["pointer"] for error in refusal.value.members["errors"]] == [
        "/lines/1/product",
        "/lines/2/product",
    ]
    assert not Order.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db(transaction=True)
def test_place_order_refuses_two_currencies() -> None:
    pound, euro = make_product(currency="GBP"), make_product(currency="EUR")

    with pytest.raises(MixedCurrencies):
        place((pound.product_id, 1), (euro.product_id, 1))

    assert not Order.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_place_order_keeps_the_price_of_its_moment() -> None:
    product = make_product(price="3.00")
    order = place((product.product_id, 1))

    product.price = Decimal("9.00")
    product.save()

    assert OrderLine.objects.get(order_id=order["id"]).unit_price == Decimal("3.00")


@pytest.mark.django_db
def test_place_order_returns_what_reading_it_back_gives() -> None:
    first, second = make_product(price="3.39"), make_product(price="0.50")

    placed = place((second.product_id, 2), (first.product_id, 1))

    columns = [name for name in placed if name not in {"lines", "shortages"}]
    orders = list_orders(viewer_id=placed["user_id"], sees_all=False)
    (read,) = with_lines(list(orders.values(*columns)))
    lines = [{**line, "order_id": placed["id"]} for line in placed["lines"]]
    assert read == {**placed, "lines": lines}
