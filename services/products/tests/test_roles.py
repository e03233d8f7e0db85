"""Who may do what with the catalogue: roles of staff, scopes of machine clients."""

import pytest

from servicekit.testing.client import Caller, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.grants import Operation, assert_closed, assert_open, operations
from tests.factories import make_product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]
ROLES = {"catalogue", "fulfilment", "support"}
OPERATIONS = operations("products")
#: What everybody reads.
PUBLIC = {
    "list_products", "read_product", "list_facets", "list_popular_products",
    "list_related_products", "list_reviews", "read_review", "list_images", "read_image",
    "list_categories", "read_category", "list_attributes", "read_attribute",
}  # fmt: skip
LANTERN = {"name": "White lantern", "price": "3.39", "currency": "GBP"}


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


def test_client_that_writes_the_catalogue_sees_what_it_made() -> None:
    machine = Caller.machine("catalogue:write")

    made = machine.post("/api/products/", {**LANTERN, "active": False})

    assert made.status_code == 201
    path = made["Location"]
    assert machine.patch(path, {"name": "Lantern"}).status_code == 200
    assert machine.get("/api/products/?active=false").status_code == 200
    problem(machine.post(f"{path}stock/", {"delta": 1, "reason": "x"}), 403, "insufficient_scope")


def test_hidden_product_that_a_client_reads_is_kept_for_nobody() -> None:
    """Customers share kept answers; a client that sees more must not fill them."""
    hidden = make_product(active=False)
    path = f"/api/products/{hidden.pk}/"

    assert Caller.machine("stock:read").get(path).status_code == 200

    for caller in (Caller(), Caller("customer"), Caller.machine("orders:read")):
        problem(caller.get(path), 404)


@pytest.mark.parametrize("role", ["catalogue", "fulfilment"])
def test_stock_is_counted_by_either_role(role: str) -> None:
    product = make_product(stock=5)
    path = f"/api/products/{product.pk}/stock/"

    answer = Caller("customer", "staff", role).post(path, {"delta": 2, "reason": "found"})

    assert answer.status_code == 200
    product.refresh_from_db()
    assert product.stock == 7


def test_stock_reader_moves_none() -> None:
    product = make_product(stock=5)
    path = f"/api/products/{product.pk}/stock/"
    reader, writer = Caller.machine("stock:read"), Caller.machine("stock:write")

    assert reader.get(path).status_code == 200
    problem(reader.post(path, {"delta": 2, "reason": "found"}), 403, "insufficient_scope")
    problem(writer.get(path), 403, "insufficient_scope")
    product.refresh_from_db()
    assert product.stock == 5
    assert writer.post(path, {"delta": 2, "reason": "found"}).status_code == 200


@pytest.mark.parametrize(
    ("roles", "status"), [(("support",), 400), (("catalogue",), 200), (("fulfilment",), 200)]
)
def test_filter_by_low_stock_is_for_who_counts(roles: tuple[str, ...], status: int) -> None:
    caller = Caller("customer", "staff", *roles)

    assert caller.get("/api/products/?low_stock=true").status_code == status
