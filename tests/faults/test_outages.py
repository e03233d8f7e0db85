"""What is away for a while delays the shop, and breaks nothing."""

import os
import time
from collections import Counter

import pytest
from harness import SETTLED, assert_problem, wait_until
from hostile import wrong_tokens

OUTAGE_SECONDS = 60.0
KEYS, KEY_PAUSE_SECONDS = "/.well-known/jwks.json", 10
#: The gateway, and two web processes of two services.
VERIFIERS = 1 + 2 * 2
#: How long users is away: `USERS_OUTAGE_SECONDS=180` is what the shop is meant to sit out.
USERS_OUTAGE_SECONDS = float(os.environ.get("USERS_OUTAGE_SECONDS", "30"))


def test_orders_are_accepted_while_the_broker_is_away(shop, stack, staff, customer):
    product = shop.add_product(staff, stock=100_000)
    placed = []

    with stack.stopped("rabbitmq"):
        until = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < until:
            answer = shop.place(customer, (product["id"], 1))
            assert answer.status_code == 201, answer.text
            placed.append(answer.json()["id"])
        assert shop.order(customer, placed[-1])["status"] == "pending"

    # Orders past their deadline may have expired; those units are back.
    ids = ",".join(f"'{each}'" for each in placed)
    pending = f"SELECT count(*) FROM orders WHERE status = 'pending' AND id IN ({ids})"  # noqa: S608  our own ids
    wait_until(lambda: stack.number("orders", pending) == 0, seconds=120, what="all settle")
    assert shop.settled(customer, placed[-1])["status"] in SETTLED
    stack.audit()


@pytest.mark.parametrize("away", ["rabbitmq", "users-relay"])
def test_log_out_is_heard_while_no_event_gets_through(shop, stack, away):
    """Each process asks users every 5 s, and looks at what its service knows each second: all of
    them within 10 s, by far.
    """
    person = shop.register()
    paths = ("/api/orders/", "/api/products/")
    assert all(shop.call("GET", path, person).status_code == 200 for path in paths)

    with stack.stopped(away):
        ended = shop.call("POST", "/api/auth/revoke/", json={"refresh_token": person.refresh})
        assert ended.status_code == 204, ended.text

        # Twenty refusals in a row are all the processes of a service.
        refusals = lambda: {shop.call("GET", path, person).status_code for path in paths * 20}  # noqa: E731
        wait_until(lambda: refusals() == {401}, seconds=20, what="the session is refused")


def test_valid_tokens_work_while_users_is_away(shop, stack):
    """Everywhere and for as long as they live, in processes that have seen none before, too; nobody
    hammers users when it is back.
    """
    paths = ("/api/orders/", "/api/products/")
    log = stack.log_end("users-web")
    stack.forget_keys()
    wait_until(
        lambda: stack.requests_since("users-web", log, KEYS) >= VERIFIERS,
        seconds=60,
        what="each process asks for the keys when it starts",
    )
    customer = shop.register()
    credentials = {"email": customer.email, "password": customer.password}
    answers = Counter()
    with stack.stopped("users-web", "users-relay"):
        for began_anew in (False, True):
            if began_anew:
                stack.restart_web("products", "orders")
            until = time.monotonic() + USERS_OUTAGE_SECONDS / 2
            while time.monotonic() < until:
                answers.update(shop.call("GET", path, customer).status_code for path in paths)
        log_in = shop.call("POST", "/api/auth/token/", json=credentials)
        assert_problem(log_in, 503)
        assert int(log_in.headers["retry-after"]) > 0
        assert set(answers) == {200}

    back = stack.log_end("users-web")
    began = time.monotonic()
    wait_until(
        lambda: shop.call("POST", "/api/auth/token/", json=credentials).status_code == 200,
        seconds=120,
        what="log-in works again",
    )
    for path in paths * 100:
        assert shop.call("GET", path, customer).status_code == 200
    # Each once in its pause.
    most = VERIFIERS * (2 + (time.monotonic() - began) / KEY_PAUSE_SECONDS)
    assert stack.requests_since("users-web", back, KEYS) <= most


def test_catalogue_is_read_while_orders_is_away(shop, stack):
    with stack.stopped("orders-web"):
        assert shop.call("GET", "/api/products/").status_code == 200


@pytest.mark.parametrize("service", ["users", "products", "orders"])
def test_service_asked_directly_refuses_wrong_tokens(shop, ops, customer, service):
    paths = {"users": "/api/users/me/", "products": "/api/products/", "orders": "/api/orders/"}
    url = f"{ops[f'{service.upper()}_URL']}{paths[service]}"
    (jwk, *_) = shop.call("GET", "/.well-known/jwks.json").json()["keys"]

    for name, value in wrong_tokens(customer.access, jwk).items():
        answer = shop.http.get(url, headers={"Authorization": f"Bearer {value}"})
        # A header beyond the server's own limit never reaches the application.
        assert answer.status_code == 401 or (name == "9 KB" and answer.status_code in (400, 431)), (
            f"{name}: {answer.text}"
        )
        if answer.status_code == 401:
            assert_problem(answer, 401)
    assert shop.http.get(url, headers={"Authorization": customer.bearer}).status_code == 200
