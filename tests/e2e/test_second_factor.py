"""A second factor, as a customer meets it."""

import base64
import time
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from harness import PASSWORD, assert_problem, wait_until

OWN = "/api/users/me/second-factor/"


class App:
    """An authenticator app that has read an `otpauth:` address; it shows each code once.

    The code of the next half minute passes as well, so nobody has to wait.
    """

    def __init__(self, uri: str) -> None:
        secret = parse_qs(urlsplit(uri).query)["secret"][0]
        self._codes = HOTP(base64.b32decode(secret), 6, SHA1())  # noqa: S303 - what apps use
        self._last = 0

    def code(self) -> str:
        self._last = max(self._last + 1, int(time.time()) // 30)
        return self._codes.generate(self._last).decode()


def challenge_of(shop, person):
    body = {"email": person.email, "password": PASSWORD}
    refused = shop.call("POST", "/api/auth/token/", json=body)
    problem = assert_problem(refused, 401)
    assert problem["code"] == "second_factor_required"
    return problem["challenge"]


def answer(shop, challenge, code):
    body = {"challenge": challenge, "code": code}
    return shop.call("POST", "/api/auth/second-factor/", json=body)


def log_in(shop, person, code):
    answered = answer(shop, challenge_of(shop, person), code)
    assert answered.status_code == 200, answered.text
    person.access = answered.json()["access_token"]
    return person


def test_second_factor_is_set_up_used_and_switched_off(shop):
    person = shop.register()
    begun = shop.call("POST", OWN, person, json={"current_password": PASSWORD})
    assert begun.status_code == 200, begun.text
    app = App(begun.json()["otpauth_uri"])
    used = app.code()
    confirmed = shop.call("POST", f"{OWN}confirm/", person, json={"code": used})
    assert confirmed.status_code == 200, confirmed.text
    codes = confirmed.json()["recovery_codes"]

    challenge = challenge_of(shop, person)
    replayed = answer(shop, challenge, used)
    assert assert_problem(replayed, 401)["code"] == "wrong_code"
    answered = answer(shop, challenge, app.code())
    assert answered.status_code == 200, answered.text
    person.access = answered.json()["access_token"]
    assert shop.call("GET", "/api/orders/", person).status_code == 200

    log_in(shop, person, codes[0])
    assert shop.call("GET", OWN, person).json()["recovery_codes_left"] == 9
    spent = answer(shop, challenge_of(shop, person), codes[0])
    assert assert_problem(spent, 401)["code"] == "wrong_code"

    proof = {"current_password": PASSWORD, "code": codes[1]}
    assert shop.call("POST", f"{OWN}disable/", person, json=proof).status_code == 204
    wait_until(
        lambda: all(shop.call("GET", "/api/orders/", person).status_code == 401 for _ in range(20)),
        seconds=5,
        what="the session has ended everywhere",
    )
    assert not shop.call("GET", OWN, shop.log_in(person.email, PASSWORD)).json()["enabled"]
