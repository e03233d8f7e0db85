"""Every error, whoever makes it, is problem+json with a request id, and input never makes a 5xx."""

import uuid

import pytest
from harness import assert_problem

UNKNOWN = str(uuid.uuid4())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nothing/here/", 404),
        ("GET", "/admin/", 404),
        ("GET", "/metrics", 404),
        ("GET", "/api/products/..%2f..%2fmetrics", 400),
        ("GET", "/api//products/", 400),
        ("GET", "/api/products/%00/", 400),
        ("GET", f"/api/products/{UNKNOWN}/", 404),
        ("GET", "/api/products/?cursor=forged", 400),
        ("GET", "/api/products/?page_size=1000000", 400),
        ("GET", "/api/products/?unknown=1", 400),
        ("GET", "/api/products/?search=%00", 400),
        ("PUT", "/api/orders/", 405),
        ("TRACE", "/api/products/", 405),
        ("DELETE", "/.well-known/jwks.json", 405),
    ],
)
def test_wrong_request_is_a_problem(shop, method, path, status):
    answer = shop.call(method, path)

    # Path hygiene may answer 400 or 404: what counts is that nothing got through.
    assert_problem(
        answer, answer.status_code if {status, answer.status_code} <= {400, 404} else status
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"lines": []}',
        b'{"lines": {}}',
        b'{"lines": [{"product": "x", "quantity": 1}]}',
        b'{"lines": [], "lines": []}',
        b'{"lines": NaN}',
        b'{"lines": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"[" * 10_000,
        b'{"lines": [], "total": "0.01"}',
    ],
)
def test_unreadable_order_is_a_problem(shop, customer, body):
    headers = {"Content-Type": "application/json"}

    assert_problem(shop.call("POST", "/api/orders/", customer, headers=headers, content=body), 400)


@pytest.mark.parametrize(
    "quantity",
    [0, -1, 2**31, 2**63, 10**30, 1.5, "1", "\u0661", True, None, [], {}, 1e2],
    ids=lambda value: repr(value),
)
def test_wrong_quantity_is_a_problem(shop, customer, product, quantity):
    body = {"lines": [{"product": product["id"], "quantity": quantity}]}

    problem = assert_problem(shop.call("POST", "/api/orders/", customer, json=body), 400)

    assert problem["errors"][0]["pointer"].startswith("/lines")


@pytest.mark.parametrize(
    "price", ["-1", "NaN", "Infinity", "1e400", "0.001", "1,00", "0x10", "", None, "\uff19", 1.5]
)
def test_wrong_price_is_a_problem(shop, staff, price):
    body = {"slug": uuid.uuid4().hex, "name": "x", "price": price, "currency": "GBP", "stock": 1}

    assert_problem(shop.call("POST", "/api/products/", staff, json=body), 400)


def test_sum_of_lines_beyond_the_limit_is_a_problem(shop, customer, product):
    answer = shop.place(customer, *[(product["id"], 2_000_000_000)] * 3)

    assert answer.status_code in (400, 409)
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""]
)
def test_other_content_types_are_refused(shop, customer, content_type):
    headers = {"Content-Type": content_type}

    assert_problem(shop.call("POST", "/api/orders/", customer, headers=headers, content=b"{}"), 415)


def test_body_over_the_limit_is_refused(shop, customer):
    headers = {"Content-Type": "application/json"}

    assert_problem(
        shop.call(
            "POST", "/api/orders/", customer, headers=headers, content=b" " * (128 * 1024 + 1)
        ),
        413,
    )


def test_foreign_host_is_refused(shop):
    assert_problem(shop.call("GET", "/api/products/", headers={"Host": "evil.example"}), 421)


def test_clients_request_id_is_not_taken_over_when_it_is_strange(shop):
    problem = assert_problem(
        shop.call("GET", "/nothing/", headers={"X-Request-ID": '"><script>' * 50}), 404
    )

    assert "script" not in problem["request_id"]


def test_errors_tell_nothing_of_the_inside(shop, customer):
    for path in ("/nothing/", f"/api/orders/{UNKNOWN}/", "/api/products/?cursor=x"):
        answer = shop.call("GET", path, customer)

        assert "Traceback" not in answer.text
        assert "/" not in answer.headers.get("server", "")
