"""Second factors over HTTP, and what hostile clients send."""

from typing import Any

import pytest

from servicekit.auth.tokens import AccessToken
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from tests.second_factors import App, code_of, with_second_factor
from users.models import Account, LogInChallenge, RecoveryCode, Session, TotpDevice

pytestmark = pytest.mark.django_db
TOKEN, ANSWER, REFRESH = "/api/auth/token/", "/api/auth/second-factor/", "/api/auth/refresh/"
OWN = "/api/users/me/second-factor/"
CONFIRM, CODES, DISABLE = f"{OWN}confirm/", f"{OWN}recovery-codes/", f"{OWN}disable/"


def credentials(account: Account) -> dict[str, str]:
    return {"email": account.email, "password": PASSWORD}


def bearer(account: Account, *roles: str) -> str:
    session = Session.objects.create(account=account, expires_at=account.registered_at)
    token = AccessToken.for_session(
        subject=account.pk, session_id=session.pk, roles=roles or ["customer"], email_verified=True
    )
    return f"Bearer {token}"


def challenge_of(app: App) -> str:
    refused = Caller().post(TOKEN, credentials(app.account))
    return str(problem(refused, 401, "second_factor_required")["challenge"])


def test_journey_of_a_second_factor(ring: None) -> None:
    account, nobody = make_account(), Caller()
    tokens = decoded(nobody.post(TOKEN, credentials(account)))
    own = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert decoded(nobody.get(OWN, **own)) == {
        "enabled": False,
        "enabled_at": None,
        "has_app": False,
        "passkeys": 0,
        "recovery_codes_left": 0,
        "is_required": False,
    }

    set_up = nobody.post(OWN, {"current_password": PASSWORD}, **own)
    confirmed = nobody.post(CONFIRM, {"code": code_of(account)}, **own)
    state = nobody.get(OWN, **own)
    refused = nobody.post(TOKEN, credentials(account))
    app = App(account, decoded(confirmed)["recovery_codes"])
    code = app.fresh_code()
    body = {"challenge": problem(refused, 401)["challenge"], "code": f"{code[:3]} {code[3:]}"}
    proved = nobody.post(ANSWER, body)
    again = {"Authorization": f"Bearer {decoded(proved)['access_token']}"}
    typed = {"current_password": PASSWORD, "code": app.recovery_codes[0].upper()}
    renewed = nobody.post(CODES, typed, **again)
    typed["code"] = decoded(renewed)["recovery_codes"][0].replace("-", " ")
    ended = nobody.post(DISABLE, typed, **again)

    assert decoded(set_up)["secret"] in decoded(set_up)["otpauth_uri"]
    assert decoded(state)["enabled"]
    assert decoded(state)["recovery_codes_left"] == 10
    assert problem(refused, 401)["expires_in"] == 300
    assert refused["WWW-Authenticate"].startswith("Bearer")
    assert ended.status_code == 204
    answers = (set_up, confirmed, state, refused, proved, renewed)
    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}
    assert decoded(set_up)["secret"].encode() not in confirmed.content + state.content
    problem(nobody.get(OWN, **again), 401)
    decoded(nobody.post(TOKEN, credentials(account)))


BAD_CODES: dict[str, Any] = {
    "nothing": None,
    "empty": "",
    "blanks": "      ",
    "number": 123456,
    "list": ["123456"],
    "object": {"$ne": ""},
    "boolean": True,
    "NUL": "12345\0",
    "five digits": "12345",
    "seven digits": "1234567",
    "arabic digits": "١٢٣٤٥٦",
    "full-width digits": "１２３４５６",  # noqa: RUF001
    "minus": "-12345",
    "underscore": "12_345",
    "line end": "123456\n",
    "10,000 characters": "1" * 10_000,
    "long with separators": "1" + "-" * 100 + "23456",
    "SQL": "' OR 1=1 --",
}


@pytest.mark.parametrize("name", BAD_CODES)
def test_u14_code_that_is_none_is_400_and_no_try(ring: None, name: str) -> None:
    app = with_second_factor()
    challenge = challenge_of(app)

    problem(Caller().post(ANSWER, {"challenge": challenge, "code": BAD_CODES[name]}), 400)
    own = bearer(app.account)
    for path in (DISABLE, CODES):
        body = {"current_password": PASSWORD, "code": BAD_CODES[name]}
        problem(Caller().post(path, body, Authorization=own), 400)
    problem(Caller().post(CONFIRM, {"code": BAD_CODES[name]}, Authorization=own), 400)

    assert LogInChallenge.objects.get().tries_left == 5
    assert TotpDevice.objects.exists()
    assert outbox_events("users.user_sessions_revoked.v1") == []


BAD_CHALLENGES: dict[str, Any] = {
    "nothing": None,
    "empty": "",
    "number": 7,
    "list": ["x"],
    "NUL": "x\0",
    "101 characters": "x" * 101,
    "10,000 characters": "x" * 10_000,
    "bidi": "\u202ex",
}


@pytest.mark.parametrize("name", BAD_CHALLENGES)
def test_u14_challenge_that_is_none_is_400(nobody: Caller, name: str) -> None:
    body = {"challenge": BAD_CHALLENGES[name], "code": "123456"}

    problem(nobody.post(ANSWER, body), 400)


def test_u14_code_of_100_000_characters_is_413(nobody: Caller) -> None:
    for path in (ANSWER, "/api/auth/token/"):
        problem(nobody.post(path, {"challenge": "x", "code": "1" * 100_000}), 413)


def test_u13_unknown_challenge_is_401(nobody: Caller) -> None:
    for challenge in ("x", "é" * 43, "a.b.c", "' OR 1=1 --", "A" * 43):
        refused = nobody.post(ANSWER, {"challenge": challenge, "code": "123456"})

        problem(refused, 401, "invalid_challenge")
        assert refused["WWW-Authenticate"].startswith("Bearer")


def test_unknown_members_and_other_methods_are_refused(ring: None) -> None:
    app = with_second_factor()
    challenge, own = challenge_of(app), bearer(app.account)
    body = {"challenge": challenge, "code": app.fresh_code(), "roles": ["staff"]}

    problem(Caller().post(ANSWER, body), 400, "invalid", "/roles")
    problem(Caller().get(ANSWER), 405)
    problem(Caller().delete(OWN, Authorization=own), 405)
    problem(Caller().get(f"{OWN}?user={app.account.pk}", Authorization=own), 400)
    assert not Session.objects.exclude(amr="pwd").exists()


def test_wrong_code_says_how_many_tries_are_left(ring: None) -> None:
    app = with_second_factor()
    body = {"challenge": challenge_of(app), "code": app.wrong_code()}

    found = problem(Caller().post(ANSWER, body), 401, "wrong_code")

    assert found["tries_left"] == 4
    assert "challenge" not in found


@pytest.mark.parametrize("path", [OWN, CONFIRM, CODES, DISABLE])
def test_second_factor_is_the_callers_own(ring: None, path: str) -> None:
    problem(Caller().post(path, {}), 401)
    gone = make_account(is_active=False)
    problem(Caller().post(path, {}, Authorization=bearer(gone)), 401)


def test_u7_second_factor_is_changed_by_nobody_without_the_password(ring: None) -> None:
    app, account = with_second_factor(), make_account()
    wrong = {"current_password": "wrong"}

    problem(Caller().post(OWN, wrong, Authorization=bearer(account)), 403, "wrong_password")
    for path in (CODES, DISABLE):
        proof = {**wrong, "code": app.fresh_code()}
        refused = Caller().post(path, proof, Authorization=bearer(app.account))
        problem(refused, 403, "wrong_password")
        proof = {"current_password": PASSWORD, "code": app.wrong_code()}
        refused = Caller().post(path, proof, Authorization=bearer(app.account))
        problem(refused, 403, "wrong_code")

    assert TotpDevice.objects.get().account == app.account
    assert RecoveryCode.objects.filter(used_at=None).count() == 10


def test_states_that_do_not_allow_it_are_409(ring: None) -> None:
    app, account = with_second_factor(), make_account()
    on, off = bearer(app.account), bearer(account)
    password = {"current_password": PASSWORD}
    proof = {**password, "code": "123456"}

    problem(Caller().post(OWN, password, Authorization=on), 409, "second_factor_on")
    confirm = Caller().post(CONFIRM, {"code": "123456"}, Authorization=off)
    problem(confirm, 409, "second_factor_not_begun")
    for path in (CODES, DISABLE):
        problem(Caller().post(path, proof, Authorization=off), 409, "second_factor_off")


def test_guesses_with_a_stolen_token_are_429(ring: None) -> None:
    app = with_second_factor()
    own, source = bearer(app.account), "203.0.113.9"
    statuses = []

    for _ in range(8):
        proof = {"current_password": PASSWORD, "code": app.wrong_code()}
        refused = Caller().post(DISABLE, proof, Authorization=own, X_Real_IP=source)
        statuses.append(refused.status_code)

    assert statuses == [403] * 5 + [429] * 3


def test_admin_removes_the_factor_of_somebody_who_lost_it(ring: None) -> None:
    app, admin = (
        with_second_factor(),
        bearer(make_account(roles=["admin"]), "customer", "staff", "admin"),
    )
    path = f"/api/users/{app.account.pk}/second-factor/"

    problem(Caller().delete(path), 401)
    for roles in (["customer"], ["customer", "staff"]):
        refused = Caller().delete(path, Authorization=bearer(app.account, *roles))
        problem(refused, 403)
    assert TotpDevice.objects.exists()
    assert Caller().delete(path, Authorization=admin).status_code == 204
    assert Caller().delete(path, Authorization=admin).status_code == 204

    missing = "/api/users/0190a5b4-0000-7000-8000-000000000001/second-factor/"
    problem(Caller().delete(missing, Authorization=admin), 404)
    decoded(Caller().post(TOKEN, credentials(app.account)))


def test_staff_without_a_factor_are_told_where_it_is_required(ring: None, settings: Any) -> None:
    settings.SECOND_FACTOR_FOR_STAFF = True
    account = make_account(is_staff=True)

    tokens = decoded(Caller().post(TOKEN, credentials(account)))
    own = f"Bearer {tokens['access_token']}"

    assert tokens["second_factor_missing"] is True
    assert decoded(Caller().get(OWN, Authorization=own))["is_required"] is True
    problem(Caller().get("/api/users/", Authorization=own), 403)
    body = {"refresh_token": tokens["refresh_token"]}
    assert decoded(Caller().post(REFRESH, body))["second_factor_missing"] is True
