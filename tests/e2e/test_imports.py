"""Files of products through the gateway: a real shop's, and a small one that is sold from."""

import uuid
from collections import Counter
from pathlib import Path

import pytest
from harness import assert_problem, wait_until

RETAIL = Path(__file__).parents[3] / "shared/data/online-retail/first-week.csv"
#: What the file's 9,999 lines come to, whatever the shop holds: each line is one of these.
RETAIL_ERRORS = {"conflicting_line": 3135, "not_a_product": 38, "blank": 21, "not_a_name": 1}


def send(shop, staff, file, query="", content_type="text/csv"):
    """Import a file; return its operation and why lines were left."""
    path = f"/api/products/import/?{query}"
    answer = shop.call("POST", path, staff, content=file, headers={"Content-Type": content_type})
    assert answer.status_code == 202, answer.text
    operation = answer.headers["Location"]

    def ended():
        found = shop.call("GET", operation, staff).json()
        return found if found["state"] not in ("queued", "running") else None

    return wait_until(ended, seconds=120, what="the file is imported"), operation


def errors_of(shop, staff, operation):
    found, path = [], f"{operation}errors/?page_size=100"
    while path:
        page = shop.call("GET", path, staff).json()
        found += page["results"]
        path = page["next"]
    return found


@pytest.mark.skipif(not RETAIL.exists(), reason="the real orders are not there")
def test_real_file_is_reported_line_by_line(shop, staff, customer):
    assert_problem(shop.call("POST", "/api/products/import/", customer, content=b"sku\n"), 403)

    ended, operation = send(shop, staff, RETAIL.read_bytes(), "currency=GBP&dry_run=true")

    assert ended["state"] == "done"
    assert ended["done"] == ended["total"] == 9999
    assert ended["failed"] == sum(RETAIL_ERRORS.values())
    errors = errors_of(shop, staff, operation)
    assert Counter(each["code"] for each in errors) == RETAIL_ERRORS
    assert [each["line"] for each in errors] == sorted({each["line"] for each in errors})


def test_imported_product_is_sold_with_its_attributes_and_in_german(shop, staff, customer):
    run = uuid.uuid4().hex[:10]
    key = f"colour_{run}"
    body = {"key": key, "type": "text", "name": "Colour"}
    assert shop.call("POST", "/api/attributes/", staff, json=body).status_code == 201
    file = (
        f"SKU;Name;Price;Currency;Stock;name:de;attribute:{key}\r\n"
        f"E2E-{run};Lantern {run};2,50;GBP;5;Laterne;red\r\n"
        f"E2E-{run}-B;Lantern B {run};2.50;GBP;5;Laterne;'=red\r\n"
    )

    ended, operation = send(shop, staff, file.encode("utf-16"))

    assert (ended["created"], ended["failed"]) == (1, 1)
    assert [(each["line"], each["pointer"]) for each in errors_of(shop, staff, operation)] == [
        (2, "/price")
    ]
    (found,) = shop.call("GET", f"/api/products/?sku=E2E-{run}-B&language=de", staff).json()[
        "results"
    ]
    read = shop.call("GET", f"/api/products/{found['id']}/", staff).json()
    assert (found["name"], read["attributes"]) == ("Laterne", {key: "=red"})

    def is_sold():
        answer = shop.place(customer, (found["id"], 2))
        return answer.json() if answer.status_code == 201 else None

    order = wait_until(is_sold, what="orders knows the product")
    assert shop.settled(customer, order["id"])["status"] == "confirmed"
