"""What staff do with orders, over HTTP, and what customers see of it."""

from typing import Any

import pytest

from orders.models import Shipment
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.api.calls import AN_ID, PATH
from tests.factories import make_confirmed, make_product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]


@pytest.fixture
def packer() -> Caller:
    return Caller("customer", "staff", "fulfilment")


def test_parcels_are_seen_by_the_customer_and_nobody_else(customer: Caller, packer: Caller) -> None:
    product_id = make_product().product_id
    order = make_confirmed({product_id: 3}, customer.id)
    path = f"{PATH}{order.pk}/"
    units = [{"product": str(product_id), "quantity": 1}]
    tag = customer.get(path)["ETag"]

    part = decoded(packer.post(f"{path}ship/", {"lines": units * 2, "carrier": "DHL"}))
    rest = decoded(packer.post(f"{path}ship/", {"tracking_number": "JD01"}))
    done = decoded(packer.post(f"{path}deliver/"))
    back = decoded(packer.post(f"{path}return/", {"reason": "too small", "lines": units}))

    assert [each["status"] for each in (part, rest, done, back)] == [
        "confirmed",
        "shipped",
        "delivered",
        "delivered",
    ]
    assert [each["version"] for each in (part, rest, done, back)] == [3, 4, 5, 6]
    assert [each["lines"][0]["shipped"] for each in (part, rest, done, back)] == [2, 3, 3, 3]
    assert back["lines"][0]["returned"] == 1
    assert customer.get(path)["ETag"] != tag
    first, second = decoded(customer.get(f"{path}shipments/"))["results"]
    assert (first["carrier"], first["lines"]) == (
        "DHL",
        [{"product": str(product_id), "quantity": 2}],
    )
    assert (second["tracking_number"], second["lines"][0]["quantity"]) == ("JD01", 1)
    assert "shipped_by" not in first
    problem(Caller("customer").get(f"{path}shipments/"), 404)
    page = decoded(packer.get(f"{path}shipments/?page_size=1"))
    assert decoded(packer.get(page["next"]))["results"] == [second]


def test_customers_read_that_it_was_staff_and_staff_read_who(
    customer: Caller, packer: Caller
) -> None:
    order = make_confirmed(user_id=customer.id)
    packer.post(f"{PATH}{order.pk}/ship/", {})

    told = decoded(customer.get(f"{PATH}{order.pk}/history/"))["results"]
    known = decoded(packer.get(f"{PATH}{order.pk}/history/"))["results"]

    assert [(step["actor"], step["by"]) for step in told] == [
        ("customer", str(customer.id)),
        ("stock", None),
        ("staff", None),
    ]
    assert known[2]["by"] == str(packer.id)


def test_repeated_key_ships_and_takes_back_once(packer: Caller) -> None:
    product_id = make_product().product_id
    order = make_confirmed({product_id: 5})
    units = {"lines": [{"product": str(product_id), "quantity": 2}]}
    calls: list[tuple[str, dict[str, Any]]] = [
        (f"{PATH}{order.pk}/ship/", units),
        (f"{PATH}{order.pk}/return/", {**units, "reason": "too small"}),
    ]

    for path, body in calls:
        first = packer.post(path, body, Idempotency_Key="k")
        again = packer.post(path, body, Idempotency_Key="k")

        assert decoded(again) == decoded(first)
        assert again["Idempotency-Replayed"] == "true"
        other = {**body, "lines": [{"product": str(product_id), "quantity": 1}]}
        problem(packer.post(path, other, Idempotency_Key="k"), 422)
    assert Shipment.objects.count() == 1
    assert len(outbox_events("orders.order_returned.v1")) == 1


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("ship", {"lines": []}),
        ("ship", {"lines": [{"product": AN_ID, "quantity": 0}]}),
        ("ship", {"lines": [{"product": AN_ID, "quantity": -1}]}),
        ("ship", {"lines": [{"product": AN_ID, "quantity": 1.0}]}),
        ("ship", {"lines": [{"product": AN_ID, "quantity": 2**31}]}),
        ("ship", {"lines": {}}),
        ("ship", {"carrier": "x" * 101}),
        ("ship", {"tracking_number": "a\nb"}),
        ("ship", {"status": "shipped"}),
        ("ship", []),
        ("return", {}),
        ("return", {"reason": " "}),
        ("return", {"reason": "x" * 201}),
        ("deliver", {"all": True}),
    ],
)
def test_body_that_says_nothing_useful_is_400(packer: Caller, action: str, body: Any) -> None:
    order = make_confirmed()
    told = outbox_events()

    problem(packer.post(f"{PATH}{order.pk}/{action}/", body), 400)

    assert outbox_events() == told


def test_what_cannot_be_done_is_409_and_what_is_not_there_404(packer: Caller) -> None:
    order = make_confirmed()
    path = f"{PATH}{order.pk}/"
    strange = {"lines": [{"product": AN_ID, "quantity": 1}]}

    problem(packer.post(f"{path}deliver/"), 409, "not_deliverable")
    problem(packer.post(f"{path}return/", {"reason": "no"}), 409, "not_returnable")
    problem(packer.post(f"{path}ship/", strange), 409, "not_in_order")
    decoded(packer.post(f"{path}ship/", {}))
    problem(packer.post(f"{path}ship/", {}), 409, "not_shippable")
    for action, body in (("ship", {}), ("deliver", None), ("return", {"reason": "no"})):
        problem(packer.post(f"{PATH}{AN_ID}/{action}/", body), 404)


def test_machine_with_the_scope_fulfils(customer: Caller) -> None:
    order = make_confirmed(user_id=customer.id)
    machine = Caller.machine("orders:fulfil")

    assert decoded(machine.post(f"{PATH}{order.pk}/ship/", {}))["status"] == "shipped"
    (*_rest, step) = decoded(customer.get(f"{PATH}{order.pk}/history/"))["results"]
    assert (step["actor"], step["by"]) == ("client", None)
    problem(Caller.machine("orders:read").post(f"{PATH}{order.pk}/deliver/"), 403)


def test_staff_say_why_they_cancel_and_customers_read_it(customer: Caller, staff: Caller) -> None:
    order = make_confirmed(user_id=customer.id)
    path = f"{PATH}{order.pk}/"

    problem(staff.post(f"{path}cancel/"), 400, "invalid", "/reason")
    decoded(staff.post(f"{path}cancel/", {"reason": "Damaged in the house."}))

    (*_rest, step) = decoded(customer.get(f"{path}history/"))["results"]
    assert (step["actor"], step["note"]) == ("staff", "Damaged in the house.")
