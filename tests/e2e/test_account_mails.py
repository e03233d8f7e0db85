"""The life of an account by mail, through the gateway: real mails, read from the mail sink."""

import base64
import json

from harness import PASSWORD, assert_problem, wait_until
from mails import (
    ASK_EMAIL,
    ASK_RESET,
    CHANGE,
    CONFIRM,
    OPEN,
    REGISTER,
    RESET,
    new_address,
    spend,
)

TAKEN = "You have an account"


def claims(access_token: str) -> dict[str, object]:
    payload = access_token.split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return found


def test_register_change_address_reset_and_log_in(shop, mails):
    first, second, changed = new_address(), new_address(), "a changed long passphrase"
    credentials = {"email": first, "password": PASSWORD}

    # Register: the account is there as soon as the token and the password come back.
    assert shop.call("POST", REGISTER, json=credentials).status_code == 202
    opened = {"token": mails.awaited(first, OPEN).token, "password": PASSWORD}
    assert_problem(shop.call("POST", "/api/auth/token/", json=credentials), 401)
    assert shop.call("POST", CONFIRM, json=opened).status_code == 201
    assert_problem(shop.call("POST", CONFIRM, json=opened), 400)
    person, elsewhere = shop.log_in(first, PASSWORD), shop.log_in(first, PASSWORD)
    assert claims(person.access)["email_verified"] is True

    # Change the address: the new one confirms, the old one is told, the other session ends.
    body = {"new_email": second, "current_password": PASSWORD}
    assert shop.call("POST", ASK_EMAIL, person, json=body).status_code == 202
    mails.awaited(first, "A new address was asked for")
    spend(shop, CHANGE, mails.awaited(second, "Confirm your new address").token)
    mails.awaited(first, "Your address has changed")
    me = shop.call("GET", "/api/users/me/", person).json()
    assert (me["email"], me["email_verified"]) == (second, True)
    wait_until(lambda: shop.call("GET", "/api/orders/", elsewhere).status_code == 401, seconds=5)

    # Reset the password: every session ends.
    assert shop.call("POST", ASK_RESET, json={"email": second}).status_code == 202
    token = mails.awaited(second, "Set a new password").token
    spend(shop, RESET, token, new_password=changed)
    mails.awaited(second, "Your password has changed")
    wait_until(lambda: shop.call("GET", "/api/orders/", person).status_code == 401, seconds=5)
    again = {"token": token, "new_password": "yet another passphrase"}
    assert_problem(shop.call("POST", RESET, json=again), 400)

    # Log in, by the new address and password only.
    for email, password in ((first, changed), (second, PASSWORD)):
        body = {"email": email, "password": password}
        assert_problem(shop.call("POST", "/api/auth/token/", json=body), 401)
    assert claims(shop.log_in(second, changed).access)["email_verified"] is True
    assert mails.subjects(second).count("Set a new password") == 1


def test_registration_is_answered_alike_for_every_address(shop, mails):
    owner, unknown = shop.register(new_address()), new_address()

    answers = [
        shop.call("POST", REGISTER, json={"email": each, "password": "another long passphrase"})
        for each in (owner.email, unknown)
    ]

    mails.awaited(owner.email, TAKEN)
    mails.awaited(unknown, OPEN)
    assert_alike(answers)
    assert shop.log_in(owner.email, PASSWORD).id == owner.id


def assert_alike(answers):
    first, second = (
        {name for name in answer.headers if not name.startswith("x-request")} for answer in answers
    )
    assert first == second
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}


def test_reset_is_answered_alike_for_every_address(shop, mails):
    person = shop.register(new_address())
    unknown = new_address()

    answers = [
        shop.call("POST", ASK_RESET, json={"email": each}) for each in (person.email, unknown)
    ]

    mails.awaited(person.email, "Set a new password")
    # Requests are answered in their order: the second has been answered soon after.
    assert mails.subjects(unknown) == []
    assert_alike(answers)


def test_taken_address_is_told_its_owner_alone(shop, mails, customer):
    owner, asker = shop.register(new_address()), shop.register(new_address())
    body = {"new_email": owner.email, "current_password": PASSWORD}

    answer = shop.call("POST", ASK_EMAIL, asker, json=body)

    assert (answer.status_code, answer.content) == (202, b"")
    mails.awaited(owner.email, "Your address was asked for")
    mails.awaited(asker.email, "A new address was asked for")
    assert "Confirm your new address" not in mails.subjects(owner.email)


def test_mails_are_not_reached_through_the_gateway(shop):
    for path in ("/mails/1", "/api/mails/", "/api/mails/1/"):
        assert_problem(shop.call("GET", path), 404)
