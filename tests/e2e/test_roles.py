"""Roles of staff and scopes of machine clients, in all three services through the gateway."""

import time
import uuid

import pytest
from harness import REFUSED_SECONDS, Person, assert_problem, await_refusals, traffic

from servicekit.testing.grants import operations

TOKEN = "/api/auth/oauth/token/"
#: In each service a list that staff see more of, or alone.
USERS, ORDERS = "/api/users/?page_size=1", f"/api/orders/?user={uuid.UUID(int=7)}"
HIDDEN = "/api/products/?active=false&page_size=1"
OPERATIONS = [each for name in ("users", "products", "orders") for each in operations(name)]
READS = [each for each in OPERATIONS if each.method == "GET"]
SCOPES = sorted({scope for each in OPERATIONS for scope in each.scopes})


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
def make_client(shop, staff):
    """Makes machine clients, which the test's end withdraws: the id and the secret of each."""
    made = []

    def make(*scopes):
        body = {"name": f"e2e-{uuid.uuid4()}", "scopes": scopes}
        made.append(shop.call("POST", "/api/clients/", staff, json=body).json())
        return made[-1]["client"]["client_id"], made[-1]["client_secret"]

    yield make
    for each in made:
        shop.call("POST", f"/api/clients/{each['client']['client_id']}/withdraw/", staff)


@pytest.fixture
def client(make_client):
    """A machine client that reads orders and stock."""
    return make_client("orders:read", "stock:read")


def machine_token(shop, client, **form):
    return shop.call("POST", TOKEN, auth=client, data={"grant_type": "client_credentials", **form})


def as_machine(shop, client):
    answer = machine_token(shop, client)
    assert answer.status_code == 200, answer.text
    return Person(client[0], "", "", answer.json()["access_token"], "")


def test_t36_demoted_member_loses_every_service_within_seconds(
    shop, staff, member, record_property
):
    paths = (USERS, ORDERS, HIDDEN)
    for path in paths:
        assert shop.call("GET", path, member).status_code == 200

    with traffic(shop, [member], paths):
        grant(shop, staff, member)
        seconds = await_refusals(shop, [member], paths, since=time.monotonic())

    record_property(
        "demoted member of staff",
        f"last accepted after {seconds:.2f} s, promised are {REFUSED_SECONDS:.0f} s",
    )
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


@pytest.fixture
def real(shop, customer, product):
    """Ids of what is there, by the name of the parameter: what a client must not read exists."""
    order = shop.bought(customer, (product["id"], 1))
    return {"order_id": order["id"], "product_id": product["id"], "account_id": customer.id}


@pytest.mark.parametrize("scope", SCOPES)
def test_machine_with_one_scope_reads_what_that_opens_and_what_everybody_reads(
    shop, real, make_client, scope
):
    machine = as_machine(shop, make_client(scope))

    for operation in READS:
        path = operation.path_with(**real)
        answer, anonymous = shop.call("GET", path, machine), shop.call("GET", path)
        if scope in operation.scopes:
            assert answer.status_code in (200, 404), (path, answer.text)
        elif anonymous.status_code == 401:
            problem = assert_problem(answer, 403)
            assert problem["code"] == "insufficient_scope", path
            assert problem["required_scopes"] == sorted(operation.scopes)
        else:
            assert answer.status_code == anonymous.status_code, path


def test_withdrawn_client_loses_every_service_within_seconds(shop, staff, product, client):
    machine = as_machine(shop, client)
    paths = ("/api/orders/", f"/api/products/{product['id']}/stock/", "/api/users/me/")

    ended = shop.call("POST", f"/api/clients/{client[0]}/withdraw/", staff)

    assert ended.status_code == 200, ended.text
    await_refusals(shop, [machine], paths, since=time.monotonic())
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
