"""Who may do what with orders: their customer, roles of staff, scopes of machine clients."""

import pytest

from orders.models import Order
from servicekit.testing.client import Caller, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.grants import Operation, assert_closed, assert_open, operations
from tests.factories import make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]
ROLES = {"catalogue", "fulfilment", "support"}
OPERATIONS = operations("orders")
PUBLIC = {"read_cart", "add_to_cart", "clear_cart", "change_cart_line", "remove_cart_line"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_operation_is_closed_to_those_whom_it_does_not_name(operation: Operation) -> None:
    """T36, T37: by its document, so that no operation is forgotten."""
    assert_closed(operation, roles=ROLES, public=PUBLIC)

    assert outbox_events() == []


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.roles or each.scopes],
    ids=lambda each: each.name,
)
def test_operation_is_open_to_those_whom_it_names(operation: Operation) -> None:
    assert_open(operation)


@pytest.mark.parametrize(
    ("role", "read", "cancelled"),
    [("support", 200, 200), ("fulfilment", 200, 403), ("catalogue", 404, 404), ("admin", 200, 200)],
)
def test_role_decides_about_the_orders_of_others(role: str, read: int, cancelled: int) -> None:
    order = make_order()
    member = Caller("customer", "staff", role)

    assert member.get(f"/api/orders/{order.pk}/").status_code == read
    assert member.get(f"/api/orders/{order.pk}/history/").status_code == read
    listed = member.get("/api/orders/").json()["results"]
    assert bool(listed) == (read == 200)
    assert member.get(f"/api/orders/?user={order.user_id}").status_code == (
        200 if read == 200 else 400
    )
    answer = member.post(f"/api/orders/{order.pk}/cancel/", {"reason": "Sold out."})

    assert answer.status_code == cancelled
    if cancelled == 403:
        assert problem(answer, 403, "permission_denied")["required_roles"] == ["support"]
    order.refresh_from_db()
    assert order.status == ("cancelled" if cancelled == 200 else "pending")
    assert bool(outbox_events("orders.order_cancelled.v1")) == (cancelled == 200)


@pytest.mark.parametrize(
    ("scope", "read", "cancelled"),
    [("orders:read", 200, 403), ("orders:cancel", 403, 200), ("stock:read", 403, 403)],
)
def test_scope_decides_about_orders(scope: str, read: int, cancelled: int) -> None:
    order = make_order()
    machine = Caller.machine(scope)

    for path in ("/api/orders/", f"/api/orders/{order.pk}/", f"/api/orders/{order.pk}/history/"):
        assert machine.get(path).status_code == read
    answer = machine.post(f"/api/orders/{order.pk}/cancel/", {"reason": "Sold out."})
    assert answer.status_code == cancelled

    order.refresh_from_db()
    assert order.status == ("cancelled" if cancelled == 200 else "pending")


def test_machine_places_no_order() -> None:
    machine = Caller.machine("orders:read", "orders:cancel")
    line = {"product": "018f0000-0000-7000-8000-000000000009", "quantity": 1}

    for path, body in (
        ("/api/orders/", {"lines": [line]}),
        (f"/api/products/{line['product']}/purchase/", {}),
    ):
        problem(machine.post(path, body), 403, "insufficient_scope")

    assert not Order.objects.exists()
    assert outbox_events() == []


def test_member_of_staff_cancels_an_order_of_their_own_like_any_customer() -> None:
    packer = Caller("customer", "staff", "fulfilment")
    order = make_order(user_id=packer.id)

    assert packer.post(f"/api/orders/{order.pk}/cancel/").status_code == 200
    assert outbox_events("orders.order_cancelled.v1")[0]["data"]["reason"] == "customer"
