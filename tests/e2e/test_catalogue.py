"""The catalogue as staff keep it and everybody sees it, through the gateway."""

import uuid

from harness import assert_problem, wait_until


def add_category(shop, staff, name, parent=None):
    slug = f"{name}-{uuid.uuid4().hex[:12]}"
    body = {"slug": slug, "name": name.title(), "parent": parent}
    made = shop.call("POST", "/api/categories/", staff, json=body)
    assert made.status_code == 201, made.text
    return slug


def test_product_is_found_by_the_category_above_its_own(shop, staff):
    home = add_category(shop, staff, "home")
    lamps = add_category(shop, staff, "lamps", parent=home)
    body = {"name": f"Lamp {lamps}", "price": "1.00", "currency": "GBP", "category": lamps}

    made = shop.call("POST", "/api/products/", staff, json=body).json()

    assert made["slug"].startswith("lamp-lamps-")
    assert [each["slug"] for each in made["category_path"]] == [home, lamps]
    listed = shop.call("GET", f"/api/products/?category={home}").json()["results"]
    assert [(each["id"], each["is_in_stock"]) for each in listed] == [(made["id"], False)]


def test_replaced_product_is_sold_at_its_new_price(shop, staff, customer):
    made = shop.add_product(staff)
    path = f"/api/products/{made['id']}/"
    tag = shop.call("GET", path).headers["ETag"]
    body = {"name": "Lamp", "price": "7.00", "compare_at_price": "9.00", "currency": "GBP"}

    replaced = shop.call("PUT", path, staff, json=body, headers={"If-Match": tag})

    assert replaced.status_code == 200, replaced.text
    assert replaced.json()["slug"] == made["slug"]
    again = shop.call("PUT", path, staff, json=body, headers={"If-Match": tag})
    assert assert_problem(again, 412)["code"] == "stale_version"

    def price_paid():
        return shop.bought(customer, (made["id"], 1))["lines"][0]["unit_price"] == "7.00"

    wait_until(price_paid, what="orders knows the new price")


def test_product_with_units_left_is_switched_off_on_purpose_only(shop, staff):
    made = shop.add_product(staff, stock=2)
    path = f"/api/products/{made['id']}/"

    refused = shop.call("PATCH", path, staff, json={"active": False})
    body = {"active": False, "even_with_stock": True}
    done = shop.call("PATCH", path, staff, json=body)

    assert assert_problem(refused, 409)["stock"] == 2
    assert done.json()["active"] is False
    assert shop.call("GET", path).status_code == 404


def test_low_stock_is_listed_for_staff_until_it_is_filled_up(shop, staff, customer):
    made = shop.add_product(staff, stock=3)
    path = f"/api/products/{made['id']}/"
    shop.call("PATCH", path, staff, json={"low_stock_threshold": 2})
    query = f"/api/products/?low_stock=true&slug={made['slug']}"

    def low():
        return [each["id"] for each in shop.call("GET", query, staff).json()["results"]]

    assert low() == []
    shop.bought(customer, (made["id"], 1))
    assert low() == [made["id"]]
    delivery = {"delta": 1, "reason": "delivery"}
    assert shop.call("POST", f"{path}stock/", staff, json=delivery).status_code == 200
    assert low() == []
    assert_problem(shop.call("GET", query, customer), 400)
