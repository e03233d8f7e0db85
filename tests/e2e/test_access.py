"""Nobody gets what is not theirs, whatever they send along."""

import uuid

import pytest
from harness import assert_problem

IDENTITY_HEADERS = (
    "X-User-Id",
    "X-User-Role",
    "X-User-Roles",
    "X-User-Email",
    "X-Authenticated",
    "X-Internal-User",
    "X_User_Id",
    "x-user_id",
    "X-Forwarded-User",
    "Remote-User",
)


def test_order_of_another_customer_does_not_exist(shop, customer, stranger, product):
    order = shop.bought(customer, (product["id"], 1))
    path = f"/api/orders/{order['id']}/"

    for method, target in (("GET", path), ("GET", f"{path}history/"), ("POST", f"{path}cancel/")):
        theirs = assert_problem(shop.call(method, target, stranger), 404)
        missing = assert_problem(
            shop.call(method, target.replace(order["id"], str(uuid.uuid4())), stranger), 404
        )
        assert theirs["code"] == missing["code"]
    assert shop.order(customer, order["id"])["status"] == "confirmed"
    listed = shop.call("GET", "/api/orders/", stranger).json()["results"]
    assert order["id"] not in {each["id"] for each in listed}


def test_staff_read_and_cancel_any_order(shop, staff, customer, product):
    order = shop.bought(customer, (product["id"], 1))

    assert shop.order(staff, order["id"])["id"] == order["id"]
    assert shop.call(
        "POST", f"/api/orders/{order['id']}/cancel/", staff, json={"reason": "Sold out."}
    ).status_code == 200


def test_customer_cannot_write_the_catalogue(shop, customer, product):
    path = f"/api/products/{product['id']}/"
    body = {"slug": "mine", "name": "Mine", "price": "1.00", "currency": "GBP", "stock": 1}
    calls = [
        ("POST", "/api/products/", body),
        ("PATCH", path, {"price": "0.01"}),
        ("DELETE", path, None),
        ("POST", f"{path}stock/", {"delta": 1, "reason": "mine"}),
        ("GET", f"{path}stock/", None),
        ("POST", "/api/categories/", {"slug": "mine", "name": "Mine"}),
        ("GET", "/api/users/", None),
    ]

    for method, target, sent in calls:
        assert_problem(shop.call(method, target, customer, json=sent), 403)
    assert shop.call("GET", path).json()["price"] == product["price"]


def test_anonymous_reads_the_catalogue_and_nothing_else(shop, product):
    assert shop.call("GET", "/api/products/").status_code == 200
    assert shop.call("GET", f"/api/products/{product['id']}/").status_code == 200
    for method, path in (
        ("GET", "/api/orders/"),
        ("POST", "/api/orders/"),
        ("GET", "/api/users/me/"),
        ("POST", "/api/products/"),
        ("POST", f"/api/products/{product['id']}/purchase/"),
        ("GET", f"/api/products/{product['id']}/stock/"),
    ):
        assert_problem(shop.call(method, path), 401)


@pytest.mark.parametrize("name", IDENTITY_HEADERS)
def test_identity_headers_change_nothing(shop, staff, customer, product, name):
    order = shop.place(customer, (product["id"], 1)).json()["id"]
    forged = {name: staff.id, f"{name}-2": "staff"}

    anonymous = shop.call("GET", f"/api/orders/{order}/", headers=forged)
    as_customer = shop.call("GET", "/api/users/me/", customer, headers=forged)
    write = shop.call(
        "PATCH", f"/api/products/{product['id']}/", customer, headers=forged, json={"price": "0.01"}
    )

    assert_problem(anonymous, 401)
    assert as_customer.json()["id"] == customer.id
    assert_problem(write, 403)


def test_sign_up_cannot_choose_its_role(shop):
    body = {
        "email": f"{uuid.uuid4()}@e2e.example",
        "password": "a long enough one",
        "roles": ["staff"],
    }

    assert_problem(shop.call("POST", "/api/users/", json=body), 400)


def test_only_the_owners_orders_are_listed_page_by_page(shop, product):
    person = shop.register()
    placed = [shop.place(person, (product["id"], 1)).json()["id"] for _ in range(7)]

    found, url = [], "/api/orders/?page_size=3"
    while url:
        page = shop.call("GET", url, person).json()
        found += [each["id"] for each in page["results"]]
        url = page["next"]

    assert found == placed[::-1]


def test_orders_are_filtered_by_status(shop, staff, product):
    person = shop.register()
    nothing = shop.add_product(staff, stock=0)
    bought = shop.bought(person, (product["id"], 1))["id"]
    refused = shop.settled(person, shop.place(person, (nothing["id"], 1)).json()["id"])["id"]

    def listed(status: str) -> list[str]:
        return [
            each["id"]
            for each in shop.call("GET", f"/api/orders/?status={status}", person).json()["results"]
        ]

    assert (listed("confirmed"), listed("rejected"), listed("pending")) == ([bought], [refused], [])


def test_catalogue_pages_hold_each_product_once(shop, staff):
    category = f"pages-{uuid.uuid4().hex[:12]}"
    made = shop.call("POST", "/api/categories/", staff, json={"slug": category, "name": category})
    assert made.status_code == 201, made.text
    slugs = {f"{category}-{number}" for number in range(5)}
    for slug in slugs:
        body = {
            "slug": slug,
            "name": slug,
            "price": "1.00",
            "currency": "GBP",
            "stock": 1,
            "category": category,
        }
        assert shop.call("POST", "/api/products/", staff, json=body).status_code == 201

    found, url = [], f"/api/products/?category={category}&page_size=2"
    while url:
        page = shop.call("GET", url).json()
        found += [each["slug"] for each in page["results"]]
        url = page["next"]

    assert sorted(found) == sorted(slugs)
