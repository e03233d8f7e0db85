"""The purchase, whole: register, log in, find, buy; the stock goes down elsewhere and the order is
confirmed.
"""

import uuid

import pytest
from harness import assert_problem, wait_until


def test_stranger_becomes_customer_finds_and_buys(shop, staff):
    product = shop.add_product(staff, stock=5, price="12.50")
    person = shop.register()

    (found,) = shop.call("GET", f"/api/products/?slug={product['slug']}").json()["results"]
    placed = shop.place(person, (found["id"], 2))

    assert placed.status_code == 201
    assert placed.json()["status"] == "pending"
    order = shop.settled(person, placed.json()["id"])
    assert order["status"] == "confirmed"
    assert (order["total"], order["currency"]) == ("25.00", "GBP")
    assert shop.stock_of(product["id"]) == 3
    assert shop.call("GET", placed.headers["location"], person).json()["id"] == order["id"]


def test_tag_of_a_compressed_product_is_good_for_edits_and_revalidation(shop, staff):
    """nginx compresses long answers and weakens their tags; a client sends back what it got."""
    product = shop.add_product(staff, stock=5)
    path = f"/api/products/{product['id']}/"
    description = {"description": "A lantern. " * 200}
    assert shop.call("PATCH", path, staff, json=description).status_code == 200

    read = shop.call("GET", path, headers={"Accept-Encoding": "gzip"})

    def revalidated():
        """A page that comes as its second ends is not kept, and its tag not compared."""
        answer = shop.call("GET", path, headers={"If-None-Match": read.headers["etag"]})
        assert answer.headers["etag"].endswith(read.headers["etag"].removeprefix("W/"))
        return answer if answer.status_code == 304 else None

    known = wait_until(revalidated)
    edited = shop.call(
        "PATCH", path, staff, json={"name": "Red"}, headers={"If-Match": read.headers["etag"]}
    )
    stale = shop.call(
        "PATCH", path, staff, json={"name": "Blue"}, headers={"If-Match": read.headers["etag"]}
    )

    assert read.headers["content-encoding"] == "gzip"
    assert read.headers["etag"].startswith("W/")
    assert known.content == b""
    assert edited.status_code == 200, edited.text
    assert assert_problem(stale, 412)["code"] == "stale_version"


def test_order_beyond_the_stock_is_rejected_and_takes_nothing(shop, staff, customer):
    product = shop.add_product(staff, stock=3)
    other = shop.add_product(staff, stock=3)

    placed = shop.place(customer, (other["id"], 1), (product["id"], 4))

    assert shop.settled(customer, placed.json()["id"])["status"] == "rejected"
    assert (shop.stock_of(product["id"]), shop.stock_of(other["id"])) == (3, 3)


def test_waiting_for_the_outcome_answers_with_it(shop, staff, customer):
    product = shop.add_product(staff, stock=1)

    bought = shop.place(customer, (product["id"], 1), prefer="wait=10")
    refused = shop.place(customer, (product["id"], 1), prefer="wait=10")

    assert (bought.status_code, bought.json()["status"]) == (201, "confirmed")
    problem = assert_problem(refused, 409)
    assert problem["code"] == "out_of_stock"
    (short,) = problem["shortages"]
    assert (short["product"], short["requested"], short["available"]) == (product["id"], 1, 0)


def test_purchase_in_one_line(shop, staff, customer):
    product = shop.add_product(staff, stock=2)
    path = f"/api/products/{product['id']}/purchase/"

    first = shop.call("POST", path, customer, json={})
    too_many = shop.call("POST", path, customer, json={"quantity": 2})

    assert first.status_code == 200, first.text
    assert first.json()["status"] == "purchased"
    assert first.json()["order"]["status"] == "confirmed"
    assert assert_problem(too_many, 409)["shortages"][0]["available"] == 1
    assert shop.stock_of(product["id"]) == 1


def test_repeat_with_the_same_key_is_the_same_order(shop, staff, customer):
    product = shop.add_product(staff, stock=10)
    key = str(uuid.uuid4())

    answers = [shop.place(customer, (product["id"], 2), key=key) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [
        None,
        "true",
        "true",
    ]
    shop.settled(customer, answers[0].json()["id"])
    assert shop.stock_of(product["id"]) == 8


def test_key_with_another_body_is_refused_and_changes_nothing(shop, customer, product):
    key = str(uuid.uuid4())
    shop.place(customer, (product["id"], 1), key=key)

    assert_problem(shop.place(customer, (product["id"], 2), key=key), 422)


def test_key_of_another_customer_is_independent(shop, customer, stranger, product):
    key = str(uuid.uuid4())

    mine = shop.place(customer, (product["id"], 1), key=key)
    theirs = shop.place(stranger, (product["id"], 1), key=key)

    assert mine.json()["id"] != theirs.json()["id"]


@pytest.mark.parametrize("key", ["x" * 256, "with space inside", "naïve".encode()])
def test_unusable_key_is_refused(shop, customer, product, key):
    headers = {"Idempotency-Key": key}
    body = {"lines": [{"product": product["id"], "quantity": 1}]}

    assert_problem(shop.call("POST", "/api/orders/", customer, headers=headers, json=body), 400)


def test_cancel_puts_the_units_back_once(shop, staff, customer):
    product = shop.add_product(staff, stock=5)
    order = shop.bought(customer, (product["id"], 3))
    path = f"/api/orders/{order['id']}/cancel/"

    answers = [shop.call("POST", path, customer) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert shop.order(customer, order["id"])["status"] == "cancelled"
    # Another order behind it: when that one is decided, everything before it has been handled.
    last = shop.bought(customer, (product["id"], 1))
    assert last["status"] == "confirmed"
    assert shop.stock_of(product["id"]) == 4


def test_rejected_order_cannot_be_cancelled(shop, staff, customer):
    product = shop.add_product(staff, stock=0)
    order = shop.settled(customer, shop.place(customer, (product["id"], 1)).json()["id"])

    assert_problem(shop.call("POST", f"/api/orders/{order['id']}/cancel/", customer), 409)


def test_history_tells_each_step_once(shop, customer, product):
    order = shop.bought(customer, (product["id"], 1))
    shop.call("POST", f"/api/orders/{order['id']}/cancel/", customer)

    history = shop.call("GET", f"/api/orders/{order['id']}/history/", customer).json()
    steps = history["results"] if isinstance(history, dict) else history

    assert [step["to"] for step in steps] == ["pending", "confirmed", "cancelled"]
    assert [step["version"] for step in steps] == [1, 2, 3]


def test_price_is_the_shops(shop, customer, product):
    body = {"lines": [{"product": product["id"], "quantity": 1, "unit_price": "0.01"}]}

    assert_problem(shop.call("POST", "/api/orders/", customer, json=body), 400)


def test_price_change_reaches_the_next_order(shop, staff, customer):
    product = shop.add_product(staff, price="10.00")
    before = shop.place(customer, (product["id"], 1)).json()

    changed = shop.call("PATCH", f"/api/products/{product['id']}/", staff, json={"price": "11.00"})

    assert changed.status_code == 200, changed.text
    assert before["total"] == "10.00"
    prices = []
    for _ in range(100):
        prices.append(shop.place(customer, (product["id"], 1)).json()["total"])
        if prices[-1] == "11.00":
            break
    assert prices[-1] == "11.00"


def test_same_product_on_two_lines_counts_together(shop, staff, customer):
    product = shop.add_product(staff, stock=5)

    fits = shop.place(customer, (product["id"], 2), (product["id"], 2), prefer="wait=10")
    too_many = shop.place(customer, (product["id"], 1), (product["id"], 1), prefer="wait=10")

    assert fits.json()["status"] == "confirmed"
    assert [line["quantity"] for line in fits.json()["lines"]] == [4]
    assert assert_problem(too_many, 409)["shortages"][0]["requested"] == 2
    assert shop.stock_of(product["id"]) == 1


def test_unknown_and_withdrawn_products_are_unavailable(shop, staff, customer):
    unknown = shop.place(customer, (str(uuid.uuid4()), 1))

    assert assert_problem(unknown, 409)["code"] == "product_unavailable"


def test_restock_sells_again_and_is_idempotent(shop, staff, customer):
    product = shop.add_product(staff, stock=0)
    path = f"/api/products/{product['id']}/stock/"
    key = str(uuid.uuid4())

    answers = [
        shop.call("POST", path, staff, key=key, json={"delta": 2, "reason": "delivery"})
        for _ in range(2)
    ]

    assert all(answer.is_success for answer in answers), answers[0].text
    assert shop.stock_of(product["id"]) == 2
    assert shop.bought(customer, (product["id"], 2))["status"] == "confirmed"
