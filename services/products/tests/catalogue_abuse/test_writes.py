"""Who writes what in the catalogue: C13, C15 to C18 of the list of hostile input."""

from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from products.handlers import router
from products.models import Product, Purchase, Reservation, Review
from products.services.reviews import write_review
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import deliver
from tests.catalogue_abuse.state import LAMP, PATH, nothing_changes
from tests.factories import cancelled, make_product, placed

ORDERS = "products.orders"


def buyer_of(product: Product, customer_id: UUID) -> UUID:
    Purchase.objects.create(customer_id=customer_id, product=product)
    return customer_id


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_c13_customer_who_writes_is_refused(customer: Caller, nobody: Caller, method: str) -> None:
    product = make_product()
    path = PATH if method == "POST" else f"{PATH}{product.pk}/"
    body = None if method == "DELETE" else LAMP

    with nothing_changes():
        problem(nobody.call(method, path, body), 401)
        problem(customer.call(method, path, body), 403)


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_c13_other_verb_in_a_header_is_not_read(
    customer: Caller, staff: Caller, header: str
) -> None:
    path = f"{PATH}{make_product().pk}/"

    with nothing_changes():
        decoded(staff.get(path, **{header: "DELETE"}))
        problem(customer.post(path, LAMP, **{header: "PATCH"}), 403)
        problem(staff.post(path, LAMP, **{header: "PATCH"}), 405)
        problem(staff.post(f"{path}?_method=DELETE", LAMP), 400)


@pytest.mark.django_db
def test_c13_customer_finds_no_way_round(customer: Caller, nobody: Caller) -> None:
    path = f"{PATH}{make_product().pk}/"
    review = f"/api/reviews/{uuid7()}/"

    with nothing_changes():
        for caller, status in ((customer, 403), (nobody, 401)):
            problem(caller.post(f"{path}stock/", {"delta": 5, "reason": "x"}), status)
            problem(caller.get(f"{path}stock/"), status)
            problem(caller.get(f"{path}stock/movements/"), status)
            problem(caller.post("/api/categories/", {"slug": "x", "name": "X"}), status)
            problem(caller.post(f"{review}hide/"), status)
            problem(caller.post(f"{review}restore/"), status)
        problem(customer.post(f"{path}stock", {"delta": 5, "reason": "x"}), 404)
        problem(customer.post(f"{path}stock/stock/", {"delta": 5, "reason": "x"}), 404)


@pytest.mark.django_db(transaction=True)
def test_c15_deleted_product_keeps_what_open_orders_hold(staff: Caller) -> None:
    product, order_id = make_product(stock=5), uuid7()
    deliver(router, ORDERS, [placed({product.pk: 2}, order_id)])

    assert staff.delete(f"{PATH}{product.pk}/").status_code == 204
    assert Reservation.objects.get().status == "reserved"
    deliver(router, ORDERS, [cancelled(order_id)], times=2)

    product.refresh_from_db()
    assert (product.stock, product.active) == (5, False)
    problem(staff.delete(f"{PATH}{product.pk}/"), 404)


@pytest.mark.django_db(transaction=True)
def test_c15_deleted_product_is_sold_to_nobody(staff: Caller) -> None:
    product = make_product(stock=5)
    staff.delete(f"{PATH}{product.pk}/")

    deliver(router, ORDERS, [placed({product.pk: 1})])

    product.refresh_from_db()
    assert (product.stock, Reservation.objects.get().status) == (5, "rejected")


def make_chain(staff: Caller, length: int) -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    for number in range(length):
        parent = {"parent": chain[-1]["slug"]} if chain else {}
        body = {"slug": f"c{number}", "name": "C", **parent}
        chain.append(decoded(staff.post("/api/categories/", body), 201))
    return chain


@pytest.mark.django_db
def test_c16_cycle_is_409(staff: Caller) -> None:
    chain = make_chain(staff, 3)
    root = f"/api/categories/{chain[0]['id']}/"

    with nothing_changes():
        for slug in ("c0", "c1", "c2"):
            problem(staff.patch(root, {"parent": slug}), 409, "category_cycle")


@pytest.mark.django_db
def test_c16_tree_that_grows_without_end_is_409(staff: Caller) -> None:
    make_chain(staff, 10)

    with nothing_changes():
        body = {"slug": "c10", "name": "C", "parent": "c9"}
        problem(staff.post("/api/categories/", body), 409, "category_cycle")


@pytest.mark.django_db
@pytest.mark.parametrize("parent", ["none", "", " ", "C0", "c0\0", 7, [], {}, True, "c" * 10_000])
def test_c16_parent_that_is_no_category_is_400(staff: Caller, parent: object) -> None:
    with nothing_changes():
        body = {"slug": "x", "name": "X", "parent": parent}
        answer = staff.post("/api/categories/", body)
        problem(answer, 413 if answer.status_code == 413 else 400)


TEXTS = [
    "<script>alert(1)</script>", "[x](javascript:alert(1))", "<svg onload=alert(1)>",
    "=cmd|' /C calc'!A0",
    "+1+1", "-1+1", "@SUM(1)", "{{ 7*7 }}", "{% load x %}", "</textarea>", "&lt;b&gt;",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("text", TEXTS)
def test_c17_script_is_data(staff: Caller, nobody: Caller, customer: Caller, text: str) -> None:
    members = {**LAMP, "name": text, "description": text}
    product_id = decoded(staff.post(PATH, members), 201)["id"]
    buyer_of(Product.objects.get(), customer.id)
    review = {"rating": 1, "title": text, "comment": text}
    decoded(customer.post(f"{PATH}{product_id}/reviews/", review), 201)

    answer = nobody.get(f"{PATH}{product_id}/")
    reviews = nobody.get(f"{PATH}{product_id}/reviews/")

    assert answer["Content-Type"] == reviews["Content-Type"] == "application/json"
    body, (shown,) = decoded(answer), decoded(reviews)["results"]
    assert {body["name"], body["description"], shown["title"], shown["comment"]} == {text}


@pytest.mark.django_db
@pytest.mark.parametrize("rating", [0, 6, -1, 4.5, 4.0, "5", None, True, 10**30, [5]], ids=repr)
def test_c18_rating_that_is_no_star_is_400(customer: Caller, rating: object) -> None:
    product = make_product()
    buyer_of(product, customer.id)

    with nothing_changes():
        answer = customer.post(f"{PATH}{product.pk}/reviews/", {"rating": rating})
        problem(answer, 400)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"comment": "x" * 5_001}, 400), ({"comment": "x" * 10**6}, 413), ({"title": "x" * 121},
        400),
        ({"title": "a\nb"}, 400), ({"comment": "a\u202eb"}, 400), ({"customer": "x"}, 400),
        ({"customer_id": str(UUID(int=1))}, 400), ({"is_hidden": False}, 400), ({"id": 1}, 400),
        ({"product": str(UUID(int=1))}, 400), ({"created_at": "2020-01-01T00:00:00Z"}, 400),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_c18_review_with_what_is_not_its_own_is_refused(
    customer: Caller, members: dict[str, Any], status: int
) -> None:
    product = make_product()
    buyer_of(product, customer.id)

    with nothing_changes():
        path = f"{PATH}{product.pk}/reviews/"
        problem(customer.post(path, {"rating": 5, **members}), status)


@pytest.mark.django_db
def test_c18_second_review_or_that_of_a_stranger_is_refused(
    customer: Caller, stranger: Caller, staff: Caller
) -> None:
    product = make_product()
    path = f"{PATH}{product.pk}/reviews/"
    review = write_review(
        product_id=product.pk, customer_id=buyer_of(product, customer.id), rating=4
    )

    with nothing_changes():
        problem(customer.post(path, {"rating": 5}), 409, "already_reviewed")
        problem(stranger.post(path, {"rating": 5}), 403, "not_a_buyer")
        for other in (stranger, staff):
            problem(other.patch(f"/api/reviews/{review.pk}/", {"rating": 1}), 404)
            problem(other.delete(f"/api/reviews/{review.pk}/"), 404)
    assert Review.objects.count() == 1
