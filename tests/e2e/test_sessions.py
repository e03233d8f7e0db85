"""Sessions: refresh tokens rotate, a replayed token ends the session, logging out is known
everywhere within seconds.
"""

import uuid

from harness import CREATE, PASSWORD, assert_problem, await_refusal, wait_until


def test_refresh_gives_a_new_pair_that_works(shop):
    person = shop.register()

    tokens = shop.call("POST", "/api/auth/refresh/", json={"refresh_token": person.refresh}).json()

    assert tokens["refresh_token"] != person.refresh
    assert tokens["token_type"] == "Bearer"
    person.access = tokens["access_token"]
    assert shop.call("GET", "/api/users/me/", person).status_code == 200


def test_refresh_repeated_at_once_gets_the_same_answer(shop):
    person = shop.register()
    body = {"refresh_token": person.refresh}

    first, second = (shop.call("POST", "/api/auth/refresh/", json=body) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["refresh_token"] == second.json()["refresh_token"]


def test_logout_is_refused_by_every_service_within_seconds(shop, product):
    person = shop.register()
    assert shop.call("GET", "/api/orders/", person).status_code == 200

    ended = shop.call("POST", "/api/auth/revoke/", json={"refresh_token": person.refresh})

    assert ended.status_code == 204
    paths = ("/api/users/me/", "/api/orders/", f"/api/products/{product['id']}/")
    for path in paths:
        await_refusal(shop, person, path)
        assert_problem(shop.call("GET", path, person), 401)
    assert_problem(
        shop.call("POST", "/api/auth/refresh/", json={"refresh_token": person.refresh}), 401
    )


def test_logout_leaves_the_other_session_alone(shop):
    person = shop.register()
    elsewhere = shop.log_in(person.email, person.password)

    shop.call("POST", "/api/auth/revoke/", json={"refresh_token": person.refresh})

    wait_until(lambda: shop.call("GET", "/api/orders/", person).status_code == 401, seconds=5)
    assert shop.call("GET", "/api/orders/", elsewhere).status_code == 200


def test_password_change_ends_other_sessions(shop):
    person = shop.register()
    elsewhere = shop.log_in(person.email, person.password)
    body = {"current_password": PASSWORD, "new_password": "another long passphrase"}

    changed = shop.call("POST", "/api/users/me/password/", person, json=body)

    assert changed.is_success, changed.text
    wait_until(lambda: shop.call("GET", "/api/orders/", elsewhere).status_code == 401, seconds=5)
    assert_problem(
        shop.call("POST", "/api/auth/token/", json={"email": person.email, "password": PASSWORD}),
        401,
    )
    assert shop.log_in(person.email, "another long passphrase").access


def test_wrong_password_and_unknown_account_are_told_alike(shop, customer):
    wrong = shop.call(
        "POST", "/api/auth/token/", json={"email": customer.email, "password": "not this one"}
    )
    unknown = shop.call(
        "POST",
        "/api/auth/token/",
        json={"email": f"{uuid.uuid4()}@e2e.example", "password": "x" * 12},
    )

    first, second = assert_problem(wrong, 401), assert_problem(unknown, 401)
    first.pop("request_id"), second.pop("request_id")
    assert first == second


def test_garbage_is_no_refresh_token(shop, customer):
    for token, status in {
        "": 400,
        "x": 401,
        "a.b.c": 401,
        customer.access: 400,
        "x" * 5000: 400,
    }.items():
        answer = shop.call("POST", "/api/auth/refresh/", json={"refresh_token": token})

        assert_problem(answer, status)


def test_same_address_is_one_account(shop, staff, customer):
    again = {"email": customer.email.upper(), "password": PASSWORD}

    refused = assert_problem(shop.call("POST", CREATE, staff, json=again), 409)

    assert refused["code"] == "email_taken"


def test_key_set_is_public_and_holds_no_secret(shop):
    answer = shop.call("GET", "/.well-known/jwks.json")

    assert answer.status_code == 200
    assert "max-age" in answer.headers["cache-control"]
    for key in answer.json()["keys"]:
        assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")
        assert "d" not in key
