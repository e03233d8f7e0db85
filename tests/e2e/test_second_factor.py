"""A second factor, as a customer meets it."""

from authenticator import OWN, answer, challenge_of, log_in, set_up
from harness import PASSWORD, assert_problem, await_refusal


def test_second_factor_is_set_up_used_and_switched_off(shop):
    person = shop.register()
    app, used, codes = set_up(shop, person)

    challenge = challenge_of(shop, person.email)
    replayed = answer(shop, challenge, used)
    assert assert_problem(replayed, 401)["code"] == "wrong_code"
    answered = answer(shop, challenge, app.code())
    assert answered.status_code == 200, answered.text
    person.access = answered.json()["access_token"]
    assert shop.call("GET", "/api/orders/", person).status_code == 200

    person = log_in(shop, person, codes[0])
    assert shop.call("GET", OWN, person).json()["recovery_codes_left"] == 9
    spent = answer(shop, challenge_of(shop, person.email), codes[0])
    assert assert_problem(spent, 401)["code"] == "wrong_code"

    proof = {"current_password": PASSWORD, "code": codes[1]}
    assert shop.call("POST", f"{OWN}disable/", person, json=proof).status_code == 204
    await_refusal(shop, person, "/api/orders/")
    assert not shop.call("GET", OWN, shop.log_in(person.email, PASSWORD)).json()["enabled"]
