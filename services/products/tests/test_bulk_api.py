"""Bulk operations over HTTP: for staff alone, strict about what comes."""

from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from products.models import BulkOperation
from products.services.bulk.operations import MAX_UNFINISHED, start_operation
from products.services.categories import create_category
from servicekit.testing.client import Caller, decoded, problem
from tests.bulk import change, finish, make_products, prices
from tests.factories import make_product

PATH = "/api/bulk-operations/"
DEARER: dict[str, Any] = {"kind": "change_prices", "percent": "5.00", "filter": {}}


@pytest.mark.django_db
def test_price_change_is_accepted_done_polled_and_undone(staff: Caller) -> None:
    make_product(price=Decimal("3.39"))

    answer = staff.post(PATH, DEARER)
    accepted = decoded(answer, 202)
    finish()
    done = decoded(staff.get(answer["Location"]))
    undo = staff.post(f"{answer['Location']}undo/")
    finish()

    assert answer["Location"] == f"{PATH}{accepted['id']}/"
    assert (accepted["state"], accepted["total"], accepted["by"]) == ("queued", None, str(staff.id))
    assert accepted["parameters"] == {"percent": "5.00", "filter": {}}
    assert (done["state"], done["done"], done["changed"], done["total"]) == ("done", 1, 1, 1)
    assert done["started_at"] <= done["finished_at"]
    undone = decoded(staff.get(undo["Location"]))
    assert (undone["kind"], undone["state"], undone["undoes"]) == ("undo", "done", done["id"])
    assert prices() == ["3.39"]
    listed = decoded(staff.get(PATH))["results"]
    assert [row["id"] for row in listed] == [undone["id"], done["id"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/kind", "/filter"]),
        ({**DEARER, "kind": "import"}, ["/kind"]),
        ({**DEARER, "filter": None}, ["/filter"]),
        ({**DEARER, "amount": "1.00"}, ["/percent"]),
        ({"kind": "change_prices", "filter": {}}, ["/percent"]),
        ({"kind": "change_prices", "filter": {}, "amount": "1.00"}, ["/filter/currency"]),
        ({**DEARER, "percent": "0"}, ["/percent"]),
        ({**DEARER, "percent": "-0.00"}, ["/percent"]),
        ({**DEARER, "percent": "-100"}, ["/percent"]),
        ({**DEARER, "percent": "1000.01"}, ["/percent"]),
        ({**DEARER, "percent": 5}, ["/percent"]),
        ({**DEARER, "percent": "NaN"}, ["/percent"]),
        ({**DEARER, "percent": "1e3"}, ["/percent"]),
        ({**DEARER, "percent": "5.001"}, ["/percent"]),
        ({**DEARER, "percent": "\uff15"}, ["/percent"]),
        ({**DEARER, "even_with_stock": True}, ["/even_with_stock"]),
        ({"kind": "activate", "filter": {}, "percent": "5"}, ["/percent"]),
        ({**DEARER, "filter": {"color": "red"}}, ["/filter/color"]),
        ({**DEARER, "filter": {"category": "gone"}}, ["/filter/category"]),
        ({**DEARER, "filter": {"category": None}}, ["/filter/category"]),
        ({**DEARER, "filter": {"name_contains": "a\u202e"}}, ["/filter/name_contains"]),
        ({**DEARER, "filter": {"name_contains": "x" * 101}}, ["/filter/name_contains"]),
        ({**DEARER, "filter": {"min_price": "2", "max_price": "1"}}, ["/filter/min_price"]),
        ({**DEARER, "filter": {"in_stock": "yes"}}, ["/filter/in_stock"]),
        ({**DEARER, "filter": {"currency": "gbp"}}, ["/filter/currency"]),
        ({**DEARER, "filter": {"language": "de"}}, ["/filter/language"]),
        ({**DEARER, "filter": {"min_rating": "6"}}, ["/filter"]),
        ({**DEARER, "filter": {"attributes": "colour:red"}}, ["/filter"]),
        ({**DEARER, "filter": {"attributes": "colour"}}, ["/filter"]),
        ({**DEARER, "filter": {"search": "x" * 101}}, ["/filter/search"]),
    ],
)
def test_request_that_is_not_meant_so_is_refused(
    staff: Caller, body: dict[str, Any], pointers: list[str]
) -> None:
    problem(staff.post(PATH, body), 400, "invalid", *pointers)

    assert not BulkOperation.objects.exists()


@pytest.mark.django_db
def test_only_staff_see_and_start_operations(customer: Caller, nobody: Caller) -> None:
    operation = change(percent="5")
    addresses = [PATH, f"{PATH}{operation.pk}/", f"{PATH}{operation.pk}/errors/"]
    actions = [PATH, f"{PATH}{operation.pk}/undo/", f"{PATH}{operation.pk}/cancel/"]

    for address in addresses:
        problem(customer.get(address), 403)
        problem(nobody.get(address), 401)
    for address in actions:
        problem(customer.post(address, DEARER), 403)
        problem(nobody.post(address, DEARER), 401)

    assert BulkOperation.objects.count() == 1


@pytest.mark.django_db
def test_same_key_starts_one_operation(staff: Caller) -> None:
    first = staff.post(PATH, DEARER, Idempotency_Key="k1")
    finish()
    again = staff.post(PATH, DEARER, Idempotency_Key="k1")

    assert decoded(again, 202) == decoded(first, 202)
    assert (again["Location"], again["Idempotency-Replayed"]) == (first["Location"], "true")
    problem(staff.post(PATH, {**DEARER, "percent": "6"}, Idempotency_Key="k1"), 422)
    assert BulkOperation.objects.count() == 1


@pytest.mark.django_db
def test_errors_are_pages_in_the_order_in_which_they_were_met(staff: Caller) -> None:
    products = make_products(45)
    operation = change(amount="-5.00", filter={"currency": "GBP"})
    path = f"{PATH}{operation.pk}/errors/"

    found, link = [], f"{path}?page_size=20"
    while link:
        page = decoded(staff.get(link))
        found += page["results"]
        link = page["next"]

    assert [error["product"] for error in found] == [str(product.pk) for product in products]
    assert {(error["code"], error["pointer"], error["line"]) for error in found} == {
        ("price_out_of_bounds", "/price", None)
    }
    problem(staff.get(f"{path}?cursor=bm9uZQ"), 400)
    problem(staff.get(f"{path}?line=3"), 400)
    problem(staff.get(f"{PATH}{uuid7()}/errors/"), 404)


@pytest.mark.django_db
def test_operation_is_cancelled_once_and_not_after_its_end(staff: Caller) -> None:
    waiting = start_operation(kind="activate", parameters={"filter": {}})
    cancelled = decoded(staff.post(f"{PATH}{waiting.pk}/cancel/"))
    again = decoded(staff.post(f"{PATH}{waiting.pk}/cancel/"))
    ended = change(percent="5")

    assert cancelled == again
    assert cancelled["state"] == "cancelled"
    problem(staff.post(f"{PATH}{ended.pk}/cancel/"), 409, "operation_finished")
    problem(staff.post(f"{PATH}{uuid7()}/cancel/"), 404)
    problem(staff.post(f"{PATH}{ended.pk}/undo/", {"half": True}), 400)
    assert BulkOperation.objects.count() == 2


@pytest.mark.django_db
def test_so_many_operations_wait_and_no_more(staff: Caller) -> None:
    create_category(slug="lamps", name="Lamps")
    for _ in range(MAX_UNFINISHED):
        decoded(staff.post(PATH, {**DEARER, "filter": {"category": "lamps"}}), 202)

    problem(staff.post(PATH, DEARER), 409, "too_many_operations")

    assert BulkOperation.objects.count() == MAX_UNFINISHED
