"""The cart over HTTP: of customers, of anonymous browsers, and from one to the other."""

from decimal import Decimal
from http.cookies import Morsel
from typing import Any

import pytest
from django.http import HttpResponse
from uuid_utils.compat import uuid7

from orders.api.cart_cookie import NAME
from orders.models import Cart, CartLine, CatalogueProduct, Order
from orders.services.carts import MAX_CART_LINES
from servicekit.testing.client import Caller, decoded, problem
from tests.api.calls import AN_ID
from tests.factories import make_product

CART, LINES, CHECKOUT = "/api/cart/", "/api/cart/lines/", "/api/cart/checkout/"
pytestmark = pytest.mark.django_db


def line(product: CatalogueProduct, quantity: int = 1) -> dict[str, Any]:
    return {"product": str(product.pk), "quantity": quantity}


def quantities(cart: dict[str, Any]) -> dict[str, int]:
    return {line["name"]: line["quantity"] for line in cart["lines"]}


def cookie_of(answer: HttpResponse) -> Morsel[str]:
    return answer.cookies[NAME]


def test_cart_that_nobody_filled_is_empty(customer: Caller, nobody: Caller) -> None:
    for caller in (customer, nobody):
        answer = caller.get(CART)

        empty = {"version": 0, "lines": [], "total": None, "currency": None, "is_ready": False}
        assert decoded(answer) == empty
        assert NAME not in answer.cookies
    assert not Cart.objects.exists()


def test_products_are_added_changed_and_removed(customer: Caller) -> None:
    lamp, vase = make_product(name="Lamp", price="3.39"), make_product(name="Vase", price="2.50")

    decoded(customer.post(LINES, line(lamp, 2)))
    decoded(customer.post(LINES, {"product": str(vase.pk)}))
    cart = decoded(customer.post(LINES, line(lamp, 1)))

    assert quantities(cart) == {"Lamp": 3, "Vase": 1}
    assert (cart["total"], cart["currency"], cart["is_ready"]) == ("12.67", "GBP", True)
    assert cart["lines"][0]["line_total"] == "10.17"
    changed = decoded(customer.call("PUT", f"{LINES}{lamp.pk}/", {"quantity": 1}))
    assert quantities(changed) == {"Lamp": 1, "Vase": 1}
    assert quantities(decoded(customer.delete(f"{LINES}{lamp.pk}/"))) == {"Vase": 1}
    assert decoded(customer.delete(f"{LINES}{lamp.pk}/"))["version"] == 6
    assert decoded(customer.delete(LINES))["lines"] == []
    assert decoded(customer.get(CART))["version"] == 7


def test_carts_are_their_customers(customer: Caller) -> None:
    decoded(customer.post(LINES, line(make_product())))

    assert decoded(Caller("customer").get(CART))["lines"] == []


def test_cart_says_what_has_changed_since(customer: Caller) -> None:
    lamp, vase = make_product(price="3.00"), make_product(price="2.00")
    for product in (lamp, vase):
        customer.post(LINES, line(product))

    CatalogueProduct.objects.filter(pk=lamp.pk).update(price="3.50", name="Lamp, new")
    CatalogueProduct.objects.filter(pk=vase.pk).update(active=False)
    cart = decoded(customer.get(CART))

    first, second = cart["lines"]
    assert (first["name"], first["unit_price"], first["price_when_added"]) == (
        "Lamp, new", "3.50", "3.00",
    )  # fmt: skip
    assert (first["changes"], second["changes"]) == (["price_changed"], ["unavailable"])
    assert (cart["total"], cart["is_ready"]) == ("3.50", False)


def test_prices_of_several_currencies_have_no_total(customer: Caller) -> None:
    customer.post(LINES, line(make_product(currency="GBP")))
    cart = decoded(customer.post(LINES, line(make_product(currency="EUR"))))

    assert (cart["total"], cart["currency"], cart["is_ready"]) == (None, None, False)


@pytest.mark.parametrize("state", [{"active": False}, {"deleted": True}, None])
def test_product_that_is_not_for_sale_is_refused(customer: Caller, state: Any) -> None:
    product_id = make_product(**state).pk if state else uuid7()

    answer = customer.post(LINES, {"product": str(product_id)})

    problem(answer, 409, "product_unavailable", "/product")
    assert not Cart.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"quantity": 1}, "/product"),
        ({"product": AN_ID, "quantity": 0}, "/quantity"),
        ({"product": AN_ID, "quantity": 1.5}, "/quantity"),
        ({"product": AN_ID, "quantity": 1_000_001}, "/quantity"),
        ({"product": "a", "quantity": 1}, "/product"),
        ({"product": AN_ID, "price": "0.01"}, "/price"),
    ],
)
def test_bad_line_is_refused(customer: Caller, body: Any, pointer: str) -> None:
    problem(customer.post(LINES, body), 400, "", pointer)


def test_cart_has_bounds(customer: Caller) -> None:
    product = make_product()
    decoded(customer.post(LINES, line(product, 999_999)))

    problem(customer.post(LINES, line(product, 2)), 409, "too_many_units_in_cart")

    cart = Cart.objects.get(user_id=customer.id)
    CartLine.objects.bulk_create(
        CartLine(cart=cart, product_id=uuid7(), quantity=1, price_when_added=1)
        for _ in range(MAX_CART_LINES - 1)
    )
    problem(customer.post(LINES, line(make_product())), 409, "cart_too_large")
    assert decoded(customer.post(LINES, line(product, 1)))["lines"][0]["quantity"] == 1_000_000


def test_line_that_is_not_there_is_not_changed(customer: Caller, nobody: Caller) -> None:
    for caller in (customer, nobody):
        answer = caller.call("PUT", f"{LINES}{AN_ID}/", {"quantity": 1})
        problem(answer, 404, "not_in_cart")


def test_changes_of_a_state_that_has_passed_are_refused(customer: Caller) -> None:
    product = make_product()
    first = customer.post(LINES, line(product))
    customer.post(LINES, line(product))

    tag = first["ETag"]
    path = f"{LINES}{product.pk}/"
    refused = [
        customer.post(LINES, line(product), If_Match=tag),
        customer.call("PUT", path, {"quantity": 9}, If_Match=tag),
        customer.delete(path, If_Match=tag),
        customer.delete(LINES, If_Match=tag),
        customer.post(CHECKOUT, If_Match=tag),
    ]

    for answer in refused:
        assert problem(answer, 412, "stale_cart")["version"] == 3
    assert decoded(customer.get(CART))["lines"][0]["quantity"] == 2
    assert customer.get(CART, If_None_Match='"3"').status_code == 304


def test_machine_clients_have_no_cart(test_keys: None) -> None:
    machine = Caller.machine("orders:read")

    assert decoded(machine.get(CART))["lines"] == []
    problem(machine.post(LINES, line(make_product())), 403, "insufficient_scope")
    problem(machine.post(CHECKOUT, {}), 403, "insufficient_scope")
    assert not Cart.objects.exists()


def test_reading_a_cart_takes_as_many_queries_for_one_line_as_for_many(
    customer: Caller, django_assert_num_queries: Any
) -> None:
    for number in (1, 20):
        for _ in range(number):
            customer.post(LINES, line(make_product()))
        with django_assert_num_queries(3):
            customer.get(CART)


def test_browser_keeps_its_cart_by_a_cookie(nobody: Caller) -> None:
    answer = nobody.post(LINES, line(make_product(), 2))

    cookie = cookie_of(answer)
    assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == (CART, "Lax", True)
    assert not cookie["secure"]
    assert cookie["max-age"] == 30 * 24 * 3600
    (kept,) = decoded(nobody.get(CART))["lines"]  # the test's client sends it
    assert kept["quantity"] == 2
    assert decoded(Caller().get(CART))["lines"] == []


def test_cookie_is_secure_where_the_client_came_by_tls(nobody: Caller) -> None:
    answer = nobody.post(LINES, line(make_product()), X_Forwarded_Proto="https")

    assert cookie_of(answer)["secure"]


def test_forged_and_foreign_cookies_name_no_cart(customer: Caller, nobody: Caller) -> None:
    decoded(customer.post(LINES, line(make_product())))
    own = Cart.objects.get(user_id=customer.id)
    good = cookie_of(nobody.post(LINES, line(make_product()))).value
    ours, signature = good.rsplit(":", 1)

    for value in ("", "a", str(own.pk), f"{ours}:{signature[::-1]}", "x" * 3000, "\xff", "::"):
        answer = Caller().get(CART, Cookie=f"{NAME}={value}")
        assert decoded(answer)["lines"] == []
        assert cookie_of(answer)["max-age"] == 0


def test_cookie_does_not_open_a_customers_cart(customer: Caller, nobody: Caller) -> None:
    decoded(nobody.post(LINES, line(make_product())))
    Cart.objects.update(user_id=customer.id)

    assert decoded(nobody.get(CART))["lines"] == []


def test_carts_are_merged_at_log_in(customer: Caller, nobody: Caller) -> None:
    lamp, vase, bowl = (make_product(name=name) for name in ("Lamp", "Vase", "Bowl"))
    for product, quantity in ((lamp, 1), (vase, 5)):
        customer.post(LINES, line(product, quantity))
    for product, quantity in ((lamp, 4), (vase, 2), (bowl, 1)):
        kept = cookie_of(nobody.post(LINES, line(product, quantity))).value

    answer = customer.get(CART, Cookie=f"{NAME}={kept}")

    assert quantities(decoded(answer)) == {"Lamp": 4, "Vase": 5, "Bowl": 1}
    assert cookie_of(answer)["max-age"] == 0
    assert Cart.objects.count() == 1
    again = customer.get(CART, Cookie=f"{NAME}={kept}")
    assert decoded(again) == decoded(answer)
    assert decoded(nobody.get(CART))["lines"] == []


def test_merge_keeps_to_the_bound(customer: Caller, nobody: Caller) -> None:
    kept = cookie_of(nobody.post(LINES, line(make_product(name="One too many")))).value
    customer.post(LINES, line(make_product()))
    cart = Cart.objects.get(user_id=customer.id)
    CartLine.objects.bulk_create(
        CartLine(cart=cart, product_id=uuid7(), quantity=1, price_when_added=1)
        for _ in range(MAX_CART_LINES - 1)
    )

    merged = decoded(customer.get(CART, Cookie=f"{NAME}={kept}"))

    assert len(merged["lines"]) == MAX_CART_LINES
    assert "One too many" not in quantities(merged)


def test_checkout_places_what_the_cart_holds(customer: Caller) -> None:
    lamp, vase = make_product(name="Lamp", price="3.39"), make_product(name="Vase", price="2.50")
    for product, quantity in ((lamp, 2), (vase, 1)):
        customer.post(LINES, line(product, quantity))

    answer = customer.post(CHECKOUT, {})

    order = decoded(answer, 201)
    assert (order["status"], order["total"]) == ("pending", "9.28")
    assert quantities(order) == {"Lamp": 2, "Vase": 1}
    assert answer["Location"] == f"/api/orders/{order['id']}/"
    cart = decoded(customer.get(CART))
    assert (cart["lines"], cart["version"]) == ([], 4)
    assert Order.objects.get().total == Decimal("9.28")


def test_browser_checks_out_after_log_in(customer: Caller, nobody: Caller) -> None:
    problem(nobody.post(CHECKOUT, {}), 401)
    kept = cookie_of(nobody.post(LINES, line(make_product(name="Lamp"), 2))).value
    problem(nobody.post(CHECKOUT, {}), 401)

    answer = customer.post(CHECKOUT, {}, Cookie=f"{NAME}={kept}")

    assert quantities(decoded(answer, 201)) == {"Lamp": 2}
    assert cookie_of(answer)["max-age"] == 0


def test_empty_cart_is_not_checked_out(customer: Caller) -> None:
    assert "order_id" not in problem(customer.post(CHECKOUT, {}), 409, "cart_empty")
    customer.post(LINES, line(make_product()))
    order = decoded(customer.post(CHECKOUT, {}), 201)

    assert problem(customer.post(CHECKOUT, {}), 409, "cart_empty")["order_id"] == order["id"]
    assert Order.objects.count() == 1


def test_what_is_not_for_sale_any_more_stops_the_checkout(customer: Caller) -> None:
    lamp, vase = make_product(), make_product()
    for product in (lamp, vase):
        customer.post(LINES, line(product))
    CatalogueProduct.objects.filter(pk=vase.pk).update(active=False)

    problem(customer.post(CHECKOUT, {}), 409, "product_unavailable", "/lines/1/product")

    assert len(decoded(customer.get(CART))["lines"]) == 2
    assert not Order.objects.exists()
    customer.delete(f"{LINES}{vase.pk}/")
    decoded(customer.post(CHECKOUT, {}), 201)


@pytest.mark.parametrize("headers", [{"If_Match": '"2"'}, {"Idempotency_Key": "k1"}])
def test_repeated_checkout_gets_the_first_answer(customer: Caller, headers: Any) -> None:
    customer.post(LINES, line(make_product()))
    first = customer.post(CHECKOUT, {}, **headers)
    customer.post(LINES, line(make_product()))

    again = customer.post(CHECKOUT, {}, **headers)

    assert decoded(again, 201) == decoded(first, 201)
    assert again["Idempotency-Replayed"] == "true"
    assert (Order.objects.count(), CartLine.objects.count()) == (1, 1)


def test_header_is_no_version_of_the_cart(customer: Caller) -> None:
    customer.post(LINES, line(make_product()))

    problem(customer.post(CHECKOUT, {}, Idempotency_Key="cart 2"), 400)
