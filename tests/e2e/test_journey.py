"""The life of an account from its registration to its end, with the mails it gets."""

import time

from authenticator import answer, challenge_of, log_in, set_up
from harness import REFUSED_SECONDS, assert_problem, await_refusal, await_refusals, traffic
from mails import change_email, new_address, reset_password, sign_up

REFRESH, DEACTIVATE = "/api/auth/refresh/", "/api/users/me/deactivate/"
#: No service has it: there, only the gateway looks at the token.
GATEWAYS_OWN = "/api/orders/no/such/path/"
ACCEPTED = {"/api/users/me/": 200, "/api/orders/": 200, GATEWAYS_OWN: 404}


def refreshed(shop, person):
    """Refresh the session of a person, and return the status."""
    answered = shop.call("POST", REFRESH, json={"refresh_token": person.refresh})
    if answered.status_code == 200:
        tokens = answered.json()
        person.access, person.refresh = tokens["access_token"], tokens["refresh_token"]
    return answered.status_code


def assert_accepted_everywhere(shop, person, product):
    """With the same token more than once, so that the gateway has its verdict by heart."""
    for path, status in {**ACCEPTED, f"/api/products/{product['id']}/": 200}.items():
        assert [shop.call("GET", path, person).status_code for _ in range(3)] == [status] * 3, path


def test_account_lives_from_registration_to_deactivation(shop, mails, product, record_property):
    person = sign_up(shop, mails, new_address())
    first_address, first_password = person.email, person.password
    app, _, recovery_codes = set_up(shop, person)
    person = log_in(shop, person, app.code())
    assert refreshed(shop, person) == 200
    assert_accepted_everywhere(shop, person, product)

    change_email(shop, mails, person, new_address())
    body = {"email": first_address, "password": first_password}
    assert_problem(shop.call("POST", "/api/auth/token/", json=body), 401)
    assert_accepted_everywhere(shop, person, product)

    reset_password(shop, mails, person, "a changed long passphrase")
    await_refusal(shop, person, "/api/orders/")
    assert refreshed(shop, person) == 401

    # A new password takes no second factor away.
    laptop, phone = (log_in(shop, person, code) for code in recovery_codes[:2])
    half_way = challenge_of(shop, person.email, person.password)
    for session in (laptop, phone):
        assert_accepted_everywhere(shop, session, product)

    paths = (*ACCEPTED, f"/api/products/{product['id']}/")
    with traffic(shop, [laptop, phone], paths):
        closed = shop.call("POST", DEACTIVATE, laptop, json={"password": person.password})
        assert closed.status_code == 204, closed.text
        seconds = await_refusals(shop, [laptop, phone], paths, since=time.monotonic())
    record_property(
        "deactivated account",
        f"last accepted after {seconds:.2f} s, promised are {REFUSED_SECONDS:.0f} s",
    )

    assert (refreshed(shop, laptop), refreshed(shop, phone)) == (401, 401)
    assert_problem(answer(shop, half_way, recovery_codes[2]), 401)
    body = {"email": person.email, "password": person.password}
    refused = assert_problem(shop.call("POST", "/api/auth/token/", json=body), 401)
    assert refused["code"] == "wrong_credentials"
