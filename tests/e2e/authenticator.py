"""An authenticator app, and log-ins that ask for its codes."""

import base64
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from harness import PASSWORD, Person, Shop, assert_problem

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


def set_up(shop: Shop, person: Person, password: str = PASSWORD) -> tuple[App, str, list[str]]:
    """Give an account a second factor; return the app, the code that is spent, recovery codes."""
    begun = shop.call("POST", OWN, person, json={"current_password": password})
    assert begun.status_code == 200, begun.text
    app = App(begun.json()["otpauth_uri"])
    spent = app.code()
    confirmed = shop.call("POST", f"{OWN}confirm/", person, json={"code": spent})
    assert confirmed.status_code == 200, confirmed.text
    return app, spent, confirmed.json()["recovery_codes"]


def challenge_of(shop: Shop, email: str, password: str = PASSWORD) -> str:
    """Log in with the password, and return the challenge that asks for a code."""
    body = {"email": email, "password": password}
    problem = assert_problem(shop.call("POST", "/api/auth/token/", json=body), 401)
    assert problem["code"] == "second_factor_required"
    return str(problem["challenge"])


def answer(shop: Shop, challenge: str, code: str) -> httpx.Response:
    """Answer a challenge."""
    body = {"challenge": challenge, "code": code}
    return shop.call("POST", "/api/auth/second-factor/", json=body)


def log_in(shop: Shop, person: Person, code: str) -> Person:
    """Begin another session of an account, with its password and a code."""
    answered = answer(shop, challenge_of(shop, person.email, person.password), code)
    assert answered.status_code == 200, answered.text
    tokens = answered.json()
    return replace(person, access=tokens["access_token"], refresh=tokens["refresh_token"])
