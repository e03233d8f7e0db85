"""Roles of staff and scopes of machine clients, in all three services through the gateway."""

import uuid

import pytest
from harness import Person, assert_problem, await_refusal

TOKEN = "/api/auth/oauth/token/"
#: In each service a list that staff see more of, or alone.
USERS, ORDERS = "/api/users/?page_size=1", f"/api/orders/?user={uuid.UUID(int=7)}"
HIDDEN = "/api/products/?active=false&page_size=1"


def grant(shop, admin, person, *roles):
    answer = shop.call("PUT", f"/api/users/{person.id}/roles/", admin, json={"roles": roles})
    assert answer.json() == {"roles": sorted(roles)}, answer.text


@pytest.fixture
def member(shop, staff):
    """A person with every role but admin, whose access ends with the test."""
    person = shop.register()
    grant(shop, staff, person, "catalogue", "fulfilment", "support")
    member = shop.log_in(person.email, person.password)
    yield member
    grant(shop, staff, person)


@pytest.fixture
def client(shop, staff):
    """A machine client that reads orders and stock: its id and its secret."""
    body = {"name": f"e2e-{uuid.uuid4()}", "scopes": ["orders:read", "stock:read"]}
    made = shop.call("POST", "/api/clients/", staff, json=body).json()
    yield made["client"]["client_id"], made["client_secret"]
    shop.call("POST", f"/api/clients/{made['client']['client_id']}/withdraw/", staff)


def machine_token(shop, client, **form):
    return shop.call("POST", TOKEN, auth=client, data={"grant_type": "client_credentials", **form})


def as_machine(shop, client):
    answer = machine_token(shop, client)
    assert answer.status_code == 200, answer.text
    return Person(client[0], "", "", answer.json()["access_token"], "")


def test_t36_demoted_member_loses_every_service_within_seconds(shop, staff, member):
    for path in (USERS, ORDERS, HIDDEN):
        assert shop.call("GET", path, member).status_code == 200

    grant(shop, staff, member)

    for path in (USERS, ORDERS, HIDDEN):
        await_refusal(shop, member, path)
        assert_problem(shop.call("GET", path, member), 401)
    again = shop.log_in(member.email, member.password)
    assert assert_problem(shop.call("GET", USERS, again), 403)["required_roles"] == ["support"]
    for path in (ORDERS, HIDDEN):
        assert_problem(shop.call("GET", path, again), 400)


def test_role_opens_its_domain_and_no_other(shop, staff, member, product):
    grant(shop, staff, member, "fulfilment")
    packer = shop.log_in(member.email, member.password)
    path = f"/api/products/{product['id']}/"

    assert shop.call("GET", ORDERS, packer).status_code == 200
    counted = shop.call("POST", f"{path}stock/", packer, json={"delta": 1, "reason": "found"})
    assert counted.status_code == 200, counted.text
    edited = assert_problem(shop.call("PATCH", path, packer, json={"price": "0.01"}), 403)
    assert edited["required_roles"] == ["catalogue"]
    assert_problem(shop.call("GET", USERS, packer), 403)
    own = f"/api/users/{packer.id}/roles/"
    assert_problem(shop.call("PUT", own, packer, json={"roles": ["admin"]}), 403)


def test_machine_reads_what_its_scope_allows_and_nothing_else(shop, customer, product, client):
    order = shop.bought(customer, (product["id"], 1))
    machine = as_machine(shop, client)
    order_path, product_path = f"/api/orders/{order['id']}/", f"/api/products/{product['id']}/"

    for path in (order_path, f"{order_path}history/", f"{product_path}stock/", product_path):
        assert shop.call("GET", path, machine).status_code == 200
    line = {"product": product["id"], "quantity": 1}
    for method, path, body in (
        ("POST", f"{order_path}cancel/", None),
        ("POST", "/api/orders/", {"lines": [line]}),
        ("POST", f"{product_path}purchase/", {}),
        ("POST", f"{product_path}stock/", {"delta": 1, "reason": "mine"}),
        ("PATCH", product_path, {"price": "0.01"}),
        ("GET", USERS, None),
        ("GET", "/api/users/me/", None),
        ("GET", "/api/clients/", None),
    ):
        problem = assert_problem(shop.call(method, path, machine, json=body), 403)
        assert problem["code"] == "insufficient_scope", (method, path)
    assert shop.order(customer, order["id"])["status"] == "confirmed"


def test_withdrawn_client_loses_every_service_within_seconds(shop, staff, product, client):
    machine = as_machine(shop, client)
    paths = ("/api/orders/", f"/api/products/{product['id']}/stock/", "/api/users/me/")

    ended = shop.call("POST", f"/api/clients/{client[0]}/withdraw/", staff)

    assert ended.status_code == 200, ended.text
    for path in paths:
        await_refusal(shop, machine, path)
    refused = machine_token(shop, client)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"].startswith("Basic")


def test_secret_is_rotated_without_a_gap(shop, staff, client):
    path = f"/api/clients/{client[0]}/rotate/"

    made = shop.call("POST", path, staff, json={"overlap_seconds": 60}).json()

    for secret in (client[1], made["client_secret"]):
        assert machine_token(shop, (client[0], secret)).status_code == 200


def test_errors_of_the_token_address_are_those_of_oauth(shop, client):
    for form, error in (
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "users:read"}, "invalid_scope"),
    ):
        answer = machine_token(shop, client, **form)
        assert assert_problem(answer, 400)["error"] == error
