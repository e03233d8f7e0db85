"""What is sent with an order: addresses, a note, the total that was shown; and the limits."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from orders.errors import PriceChanged, TooManyPendingOrders, TooManyUnits
from orders.models import CatalogueProduct, Order, OrderDetails, OrderLine, Status
from orders.models.numbers import NotANumber, number_of, serial_of
from orders.services.placement import OrderItem, Terms, place_order
from servicekit.http.problems import Conflict
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.api.calls import PATH, lines
from tests.factories import make_order, make_product

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "postcode": "SW1Y 4JH",
    "city": "London",
    "country": "GB",
}


def place(user_id: UUID, product: CatalogueProduct, quantity: int = 1, **terms: Any) -> Any:
    items = [OrderItem(product.product_id, quantity)]
    return place_order(user_id=user_id, items=items, terms=Terms(**terms))


@pytest.mark.django_db(transaction=True)
def test_order_keeps_addresses_note_and_products_as_they_were(customer: Caller) -> None:
    product = make_product(price="3.39")
    body = lines((product.product_id, 2))
    sent = {
        "shipping_address": ADDRESS,
        "billing_address": {**ADDRESS, "name": "<b>Ada</b> {{7*7}}"},
        "note": "Ring twice.\nThen wait.",
        "expected_total": "6.78",
    }

    placed = decoded(customer.post(PATH, body | sent), 201)
    CatalogueProduct.objects.update(slug="other", sku="other", version=2)

    read = decoded(customer.get(f"{PATH}{placed['id']}/"))
    assert read == placed
    assert {name: read[name] for name in sent if name != "expected_total"} == {
        name: value for name, value in sent.items() if name != "expected_total"
    }
    (line,) = read["lines"]
    assert (line["slug"], line["sku"], line["currency"]) == (product.slug, product.sku, "GBP")
    assert (line["shipped"], line["returned"]) == (0, 0)
    (event,) = outbox_events()
    assert "Ada" not in str(event)


@pytest.mark.django_db
def test_order_without_anything_keeps_nothing(customer: Caller) -> None:
    body = decoded(customer.post(PATH, lines((make_product().product_id, 1))), 201)

    assert (body["shipping_address"], body["billing_address"], body["note"]) == (None, None, "")
    assert not OrderDetails.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"shipping_address": "7"}, "/shipping_address"),
        ({"shipping_address": {**ADDRESS, "country": "XX"}}, "/shipping_address/country"),
        ({"shipping_address": {**ADDRESS, "country": ["GB"]}}, "/shipping_address/country"),
        ({"billing_address": {**ADDRESS, "id": "1"}}, "/billing_address/id"),
        ({"billing_address": {**ADDRESS, "name": "a\x00b"}}, ""),
        ({"billing_address": {"name": "Ada"}}, "/billing_address/line1"),
        ({"note": "x" * 501}, "/note"),
        ({"note": "\ud800"}, ""),
        ({"note": 7}, "/note"),
        ({"expected_total": 6.78}, "/expected_total"),
        ({"expected_total": "-1"}, "/expected_total"),
        ({"expected_total": "1e3"}, "/expected_total"),
        ({"expected_total": "9" * 19}, "/expected_total"),
        ({"expected_total": None}, "/expected_total"),
    ],
)
def test_terms_that_are_none_are_refused_o12(
    customer: Caller, sent: dict[str, Any], pointer: str
) -> None:
    answer = customer.post(PATH, lines((make_product().product_id, 1)) | sent)

    errors = problem(answer, 400).get("errors", [{"pointer": ""}])
    assert errors[0]["pointer"] == pointer
    assert not Order.objects.exists()


@pytest.mark.django_db
def test_another_total_than_was_shown_places_nothing_o13(customer: Caller) -> None:
    product = make_product(price="3.40")
    path = f"/api/products/{product.product_id}/purchase/"
    for target, body in ((PATH, lines((product.product_id, 2))), (path, {"quantity": 2})):
        answer = customer.post(target, body | {"expected_total": "6.78"}, Idempotency_Key="k")

        refusal = problem(answer, 409, "price_changed")

        assert (refusal["total"], refusal["currency"]) == ("6.80", "GBP")
    assert not Order.objects.exists()
    assert outbox_events() == []
    again = lines((product.product_id, 2)) | {"expected_total": "6.80"}
    assert decoded(customer.post(PATH, again, Idempotency_Key="k"), 201)["total"] == "6.80"


@pytest.mark.django_db
def test_place_order_compares_totals_by_value() -> None:
    product = make_product(price="2.50")

    place(uuid7(), product, 2, expected_total=Decimal("5"))

    with pytest.raises(PriceChanged):
        place(uuid7(), product, 2, expected_total=Decimal("5.01"))


@pytest.mark.django_db
def test_numbers_are_for_people(customer: Caller) -> None:
    product = make_product()
    first, second = (
        decoded(customer.post(PATH, lines((product.product_id, 1))), 201)["number"]
        for _ in range(2)
    )

    assert serial_of(second) > serial_of(first) > 100_000
    found = decoded(customer.get(f"{PATH}?number={second}"))["results"]
    assert [order["number"] for order in found] == [second]
    assert decoded(Caller("customer").get(f"{PATH}?number={second}"))["results"] == []
    mistyped = first[:-1] + str((int(first[-1]) + 1) % 10)
    for wrong in (mistyped, "1", "-17", "١٢", "1" * 30, "10000 17"):
        problem(customer.get(f"{PATH}?{urlencode({'number': wrong})}"), 400)


def test_check_digit_finds_wrong_digits_and_those_that_changed_places() -> None:
    number = number_of(100_472)
    assert serial_of(number) == 100_472
    wrong = {
        number[:place] + digit + number[place + 1 :]
        for place in range(len(number))
        for digit in "0123456789"
    } - {number}
    wrong |= {
        number[:place] + number[place + 1] + number[place] + number[place + 2 :]
        for place in range(len(number) - 1)
    } - {number}
    for each in wrong:
        with pytest.raises(NotANumber):
            serial_of(each)


@pytest.mark.django_db(transaction=True)
def test_customer_gets_no_more_units_in_one_order_or_in_many_at_once_o10(settings: Any) -> None:
    settings.CUSTOMER_MAX_UNITS_PER_PRODUCT = 10
    product, other, user_id = make_product(), make_product(), uuid7()
    with pytest.raises(TooManyUnits) as refusal:
        place(user_id, product, 11)
    assert refusal.value.members["products"] == [
        {"product": str(product.product_id), "requested": 11, "available": 10}
    ]

    def order_some() -> int:
        return sum(_placed(user_id, product, 3) for _ in range(3))

    assert sum(at_once(order_some, order_some, order_some)) == 3
    assert sum(OrderLine.objects.values_list("quantity", flat=True)) == 9
    place(user_id, other, 10)
    place(uuid7(), product, 10)
    Order.objects.filter(user_id=user_id).update(status="cancelled", settled_at="2026-01-01T00:00Z")
    place(user_id, product, 10)


@pytest.mark.django_db(transaction=True)
def test_customer_has_no_more_pending_orders_whatever_comes_at_once_o35(settings: Any) -> None:
    settings.CUSTOMER_MAX_PENDING_ORDERS = 4
    product, user_id = make_product(), uuid7()

    def order_some() -> int:
        return sum(_placed(user_id, product, 1) for _ in range(4))

    assert sum(at_once(order_some, order_some, order_some)) == 4
    with pytest.raises(TooManyPendingOrders):
        place(user_id, product)
    Order.objects.filter(pk=Order.objects.values("pk")[:1]).update(
        status=Status.REJECTED, settled_at="2026-01-01T00:00Z"
    )
    place(user_id, product)
    place(uuid7(), product)


def _placed(user_id: UUID, product: CatalogueProduct, quantity: int) -> bool:
    try:
        place(user_id, product, quantity)
    except Conflict:
        return False
    return True


@pytest.mark.django_db
def test_returned_units_do_not_count_for_the_limit(settings: Any) -> None:
    settings.CUSTOMER_MAX_UNITS_PER_PRODUCT = 2
    product, user_id = make_product(), uuid7()
    order = make_order({product.product_id: 2}, user_id)
    OrderLine.objects.filter(order=order).update(shipped=2, returned=1)

    place(user_id, product, 1)

    with pytest.raises(TooManyUnits):
        place(user_id, product, 1)
