"""A stranger's cart becomes the customer's, and an order."""

import pytest
from harness import Shop, assert_problem


@pytest.fixture
def browser(shop):
    """A client with cookies of its own."""
    client = Shop(shop.ops)
    with client.http:
        yield client


def test_strangers_cart_is_bought_after_log_in(shop, staff, browser):
    lamp = shop.add_product(staff, stock=5, price="12.50")
    vase = shop.add_product(staff, stock=5, price="2.00")

    for product, quantity in ((lamp, 2), (vase, 1)):
        line = {"product": product["id"], "quantity": quantity}
        answer = browser.call("POST", "/api/cart/lines/", json=line)
        assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == "27.00"
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert_problem(browser.call("POST", "/api/cart/checkout/"), 401)

    person = browser.register()
    path = f"/api/cart/lines/{vase['id']}/"
    changed = browser.call("PUT", path, person, json={"quantity": 3})
    assert changed.json()["total"] == "31.00"
    assert not browser.http.cookies
    placed = browser.call(
        "POST",
        "/api/cart/checkout/",
        person,
        headers={"If-Match": changed.headers["etag"], "Prefer": "wait=10"},
    )
    again = browser.call(
        "POST", "/api/cart/checkout/", person, headers={"If-Match": changed.headers["etag"]}
    )

    assert placed.status_code == 201, placed.text
    assert shop.settled(person, placed.json()["id"])["status"] == "confirmed"
    assert again.json()["id"] == placed.json()["id"]
    assert shop.call("GET", "/api/cart/", person).json()["lines"] == []
    assert (shop.stock_of(lamp["id"]), shop.stock_of(vase["id"])) == (3, 2)
