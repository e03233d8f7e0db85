"""A session that has ended stays refused through restarts, by the gateway and by each service."""

import time

import httpx
import pytest
from harness import Person, assert_problem, await_refusals, wait_until

#: No service has it: there, only the gateway looks at the token.
GATEWAYS_OWN = "/api/orders/no/such/path/"
PATHS = {"users": "/api/users/me/", "products": "/api/products/", "orders": "/api/orders/"}
#: More than a service has processes, each of which learns of it by itself.
REQUESTS = 20


@pytest.fixture
def sessions(shop, ops) -> tuple[Person, Person]:
    """A session that was ended, which everybody has heard of, and another of the same account."""
    for service, path in PATHS.items():  # which the test before may have restarted
        answers_of(shop, f"{ops[f'{service.upper()}_URL']}{path}", None)
    person = shop.register()
    ended, other = person, shop.log_in(person.email, person.password)
    for path in (*PATHS.values(), GATEWAYS_OWN):
        assert shop.call("GET", path, ended).status_code in (200, 404)
    answer = shop.call("POST", "/api/auth/revoke/", json={"refresh_token": ended.refresh})
    assert answer.status_code == 204
    await_refusals(shop, [ended], [*PATHS.values(), GATEWAYS_OWN], since=time.monotonic())
    return ended, other


def test_gateway_that_restarts_while_users_is_away_refuses_an_ended_session(shop, stack, sessions):
    ended, other = sessions
    with stack.stopped("users-web"):
        stack.restart("gateway")

        answers = answers_of(shop, GATEWAYS_OWN, ended)

        assert assert_problem(answers[0], 401)["detail"] == "The session has ended."
        assert {answer.status_code for answer in answers} == {401}
        assert shop.call("GET", "/api/orders/", other).status_code == 200


@pytest.mark.parametrize("service", ["products", "orders"])
def test_service_that_restarts_while_users_is_away_refuses_an_ended_session(
    shop, stack, ops, sessions, service
):
    """Asked directly, from the first answer on; the gateway would have refused it already."""
    ended, other = sessions
    url = f"{ops[f'{service.upper()}_URL']}{PATHS[service]}"
    with stack.stopped("users-web", "rabbitmq"):
        stack.restart(f"{service}-web")

        answers = answers_of(shop, url, ended)

        assert {answer.status_code for answer in answers} == {401}
        assert ask(shop, url, other).status_code == 200


def ask(shop, url, person):
    """Ask over a connection of its own, which may reach any process of the service."""
    token = {"Authorization": person.bearer} if person else {}
    return shop.http.get(url, headers={**token, "Connection": "close"})


def answers_of(shop, url, person):
    """Return the first answers of what is starting."""

    def first() -> httpx.Response | None:
        try:
            return ask(shop, url, person)
        except httpx.TransportError:
            return None

    found = wait_until(first, seconds=60, what=f"{url} answers")
    return [found, *(ask(shop, url, person) for _ in range(REQUESTS))]


def test_users_that_restarts_refuses_an_ended_session(shop, stack, ops, sessions):
    ended, other = sessions
    url = f"{ops['USERS_URL']}{PATHS['users']}"
    stack.restart("users-web")

    answers = answers_of(shop, url, ended)

    assert {answer.status_code for answer in answers} == {401}
    assert ask(shop, url, other).status_code == 200
