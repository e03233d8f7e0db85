"""What clients send and should not."""

from typing import Any

import pytest

from orders.models import Order
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from tests.api.calls import AN_ID, PATH, lines
from tests.factories import make_order, make_product

BAD_BODIES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "nothing": ({}, ("/lines",)),
    "no lines": ({"lines": []}, ("/lines",)),
    "null": ({"lines": None}, ("/lines",)),
    "array": ([], ()),
    "text": ("lines", ()),
    "line is text": ({"lines": ["x"]}, ("/lines/0",)),
    "no product": ({"lines": [{"quantity": 1}]}, ("/lines/0/product",)),
    "no quantity": ({"lines": [{"product": AN_ID}]}, ("/lines/0/quantity",)),
    "zero": (lines((AN_ID, 0)), ("/lines/0/quantity",)),
    "negative": (lines((AN_ID, -1)), ("/lines/0/quantity",)),
    "fraction": (lines((AN_ID, 1.5)), ("/lines/0/quantity",)),
    "whole float": (lines((AN_ID, 1.0)), ("/lines/0/quantity",)),
    "text number": (lines((AN_ID, "1")), ("/lines/0/quantity",)),
    "boolean": (lines((AN_ID, True)), ("/lines/0/quantity",)),
    "huge": (lines((AN_ID, 10**30)), ()),
    "million and one": (lines((AN_ID, 1_000_001)), ("/lines/0/quantity",)),
    "not an id": (lines(("x", 1)), ("/lines/0/product",)),
    "number as id": ({"lines": [{"product": 7, "quantity": 1}]}, ("/lines/0/product",)),
    "own price": (
        {"lines": [{"product": AN_ID, "quantity": 1, "unit_price": "0.01"}]},
        ("/lines/0/unit_price",),
    ),
    "own user": ({**lines((AN_ID, 1)), "user": AN_ID}, ("/user",)),
    "second line": (lines((AN_ID, 1), (AN_ID, 0)), ("/lines/1/quantity",)),
    "too many": (lines(*[(AN_ID, 1)] * 1001), ("/lines",)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD_BODIES)
def test_invalid_order_is_400_with_a_pointer_and_leaves_nothing(
    customer: Caller, name: str
) -> None:
    body, pointers = BAD_BODIES[name]

    problem(customer.post(PATH, body), 400, "", *pointers)

    assert not Order.objects.exists()
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"lines": [], "lines": []}',
        b'{"lines": NaN}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"lines": [{"product": "\\u0000", "quantity": 1}]}',
        b'{"lines": [{"product": "\\ud800", "quantity": 1}]}',
    ],
    ids=["empty", "cut", "twice", "NaN", "not UTF-8", "deep", "NUL", "surrogate"],
)
def test_unreadable_body_is_400(customer: Caller, raw: bytes) -> None:
    problem(customer.call("POST", PATH, raw=raw), 400)

    assert not Order.objects.exists()


@pytest.mark.django_db
def test_other_media_types_and_methods_are_refused(customer: Caller) -> None:
    problem(
        customer.call("POST", PATH, raw=b"a=1", content_type="application/x-www-form-urlencoded"),
        415,
    )
    answer = customer.call("DELETE", PATH)
    problem(answer, 405)
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"
    problem(customer.get(PATH, Accept="text/html"), 406)


@pytest.mark.django_db
def test_ids_are_taken_in_capitals_everywhere_and_answered_in_lower_case(
    customer: Caller, staff: Caller
) -> None:
    product = make_product()
    capitals = str(product.product_id).upper()
    placed = customer.post(PATH, lines((capitals, 1)))
    order = decoded(placed, 201)
    path = f"{PATH}{order['id'].upper()}/"

    read = decoded(customer.get(path))
    listed = decoded(staff.get(f"{PATH}?user={str(customer.id).upper()}"))["results"]
    bought = customer.post(f"/api/products/{capitals}/purchase/", {}, Prefer="wait=0")
    cancelled = decoded(customer.post(f"{path}cancel/"))
    refused = problem(customer.post(f"{path}cancel/", {"line": 1}), 400)

    assert placed["Location"] == f"{PATH}{order['id']}/"
    assert read["lines"][0]["product"] == str(product.product_id)
    assert [listed_order["id"] for listed_order in listed] == [order["id"]]
    assert bought.status_code == 202
    assert (cancelled["id"], cancelled["status"]) == (order["id"], "cancelled")
    assert refused["instance"] == f"{PATH}{order['id']}/cancel/"
    assert decoded(customer.get(f"{path}history/"))


@pytest.mark.django_db
@pytest.mark.parametrize("spelling", ["{{{}}}", "urn:uuid:{}", "no hyphens", "({})"])
def test_other_spellings_of_an_id_are_refused_everywhere(
    customer: Caller, staff: Caller, spelling: str
) -> None:
    order, product = make_order(user_id=customer.id), str(make_product().product_id)

    def respelt(value: object) -> str:
        return str(value).replace("-", "") if spelling == "no hyphens" else spelling.format(value)

    problem(customer.get(f"{PATH}{respelt(order.pk)}/"), 404)
    problem(customer.post(f"/api/products/{respelt(product)}/purchase/", {}), 404)
    problem(customer.post(PATH, lines((respelt(product), 1))), 400)
    problem(staff.get(f"{PATH}?user={respelt(customer.id)}"), 400)
    assert Order.objects.count() == 1
