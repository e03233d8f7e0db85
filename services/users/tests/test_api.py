"""Accounts and tokens over HTTP."""

from typing import Any

import pytest

from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from users.models import Account, Session

USERS, TOKEN, REFRESH, REVOKE = "/api/users/", "/api/auth/token/", "/api/auth/refresh/", "/api/auth/revoke/"
ME = "/api/users/me/"


@pytest.mark.django_db
def test_register_log_in_and_read_oneself(ring: None) -> None:
    caller = Caller()
    made = caller.post(USERS, {"email": "Ada@example.org", "password": PASSWORD, "name": "Ada"})
    account = decoded(made, 201)

    answer = caller.post(TOKEN, {"email": "ada@EXAMPLE.org", "password": PASSWORD})
    tokens = decoded(answer)
    me = caller.get(ME, Authorization=f"Bearer {tokens['access_token']}")

    assert decoded(me) == account
    assert (account["email"], account["name"], account["roles"], account["email_verified"]) == (
        "ada@example.org",
        "Ada",
        ["customer"],
        False,
    )
    assert made["Location"] == ME
    assert {one["Cache-Control"] for one in (made, answer, me)} == {"no-store"}
    assert "password" not in account


BAD: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "/email"),
    "array": ([], ""),
    "no password": ({"email": "ada@example.org"}, "/password"),
    "no address": ({"email": "ada", "password": PASSWORD}, "/email"),
    "address is a number": ({"email": 7, "password": PASSWORD}, "/email"),
    "look-alike": ({"email": "m\u0131ke@example.org", "password": PASSWORD}, "/email"),
    "password is a number": ({"email": "ada@example.org", "password": 12345678}, "/password"),
    "password is a list": ({"email": "ada@example.org", "password": ["x"]}, "/password"),
    "short": ({"email": "ada@example.org", "password": "seven.."}, "/password"),
    "too long": ({"email": "ada@example.org", "password": "x" * 129}, "/password"),
    "far too long": ({"email": "ada@example.org", "password": "x" * 5000}, "/password"),
    "blank": ({"email": "ada@example.org", "password": " " * 10}, "/password"),
    "common": ({"email": "ada@example.org", "password": "password1"}, "/password"),
    "the address": ({"email": "ada@example.org", "password": "ADA@example.org"}, "/password"),
    "own role": ({"email": "ada@example.org", "password": PASSWORD, "roles": ["staff"]}, "/roles"),
    "own is_staff": ({"email": "ada@example.org", "password": PASSWORD, "is_staff": True}, "/is_staff"),
    "NUL": ({"email": "ada@example.org", "password": PASSWORD, "name": "a\0b"}, ""),
    "bidi": ({"email": "ada@example.org", "password": PASSWORD, "name": "a\u202eb"}, "/name"),
    "long name": ({"email": "ada@example.org", "password": PASSWORD, "name": "x" * 201}, "/name"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD)
def test_bad_registration_is_400_with_a_pointer_and_leaves_nothing(nobody: Caller, name: str) -> None:
    body, pointer = BAD[name]

    found = problem(nobody.post(USERS, body), 400)

    assert pointer in [one["pointer"] for one in found.get("errors", [{"pointer": ""}])]
    assert not Account.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_unreadable_bodies_are_4xx(nobody: Caller, customer: Caller) -> None:
    for raw in (b"", b"{", b'{"email": "\\ud800"}', b'{"email": NaN}', b"\xff", b'{"a": 1, "a": 2}'):
        problem(nobody.call("POST", USERS, raw=raw), 400)
    problem(nobody.call("POST", USERS, raw=b"x" * 5_000_000), 413)
    problem(nobody.call("POST", USERS, raw=b"{}", content_type="text/plain"), 415)
    problem(customer.call("DELETE", ME), 405)
    assert not Account.objects.exists()


@pytest.mark.django_db
def test_taken_address_is_409(nobody: Caller) -> None:
    make_account(email="ada@example.org")

    problem(nobody.post(USERS, {"email": "ADA@EXAMPLE.ORG", "password": PASSWORD}), 409, "email_taken")

    assert Account.objects.count() == 1


@pytest.mark.django_db
def test_wrong_log_in_does_not_tell_what_is_wrong(ring: None, nobody: Caller) -> None:
    make_account(email="ada@example.org")

    answers = [
        nobody.post(TOKEN, {"email": email, "password": password})
        for email, password in (("ada@example.org", "wrong"), ("bob@example.org", PASSWORD), ("?", "wrong"))
    ]

    bodies = [problem(answer, 401, "wrong_credentials") for answer in answers]
    assert len({(one["detail"], one["title"]) for one in bodies}) == 1
    assert all(answer["WWW-Authenticate"].startswith("Bearer") for answer in answers)
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_refresh_and_log_out(ring: None, settings: Any) -> None:
    caller = Caller()
    make_account(email="ada@example.org")
    first = decoded(caller.post(TOKEN, {"email": "ada@example.org", "password": PASSWORD}))

    second = decoded(caller.post(REFRESH, {"refresh_token": first["refresh_token"]}))
    gone = caller.post(REVOKE, {"refresh_token": second["refresh_token"]})

    assert gone.status_code == 204
    problem(caller.post(REFRESH, {"refresh_token": second["refresh_token"]}), 401, "invalid_refresh_token")
    for tokens in (first, second):
        answer = caller.get(ME, Authorization=f"Bearer {tokens['access_token']}")
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        problem(answer, 401)
    assert caller.post(REVOKE, {"refresh_token": "unknown"}).status_code == 204


@pytest.mark.django_db
@pytest.mark.parametrize("path", [REFRESH, REVOKE])
@pytest.mark.parametrize(
    "body", [{}, {"refresh_token": 7}, {"refresh_token": ""}, {"refresh_token": "x" * 300}, {"token": "x"}]
)
def test_malformed_refresh_is_400(nobody: Caller, path: str, body: dict[str, Any]) -> None:
    problem(nobody.post(path, body), 400)


@pytest.mark.django_db
def test_rename_changes_the_name_and_nothing_else(customer: Caller) -> None:
    make_account(customer.id, name="Ada")

    assert decoded(customer.patch(ME, {"name": "Countess"}))["name"] == "Countess"
    for member in ("email", "roles", "is_staff", "id"):
        problem(customer.patch(ME, {"name": "x", member: "y"}), 400, "", f"/{member}")

    assert Account.objects.get().name == "Countess"


@pytest.mark.django_db
def test_password_is_changed_with_the_current_one_only(ring: None) -> None:
    caller = Caller()
    make_account(email="ada@example.org")
    tokens = decoded(caller.post(TOKEN, {"email": "ada@example.org", "password": PASSWORD}))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    path = "/api/users/me/password/"

    wrong = caller.post(path, {"current_password": "wrong", "new_password": "another good one"}, **bearer)
    weak = caller.post(path, {"current_password": PASSWORD, "new_password": "short"}, **bearer)
    right = caller.post(path, {"current_password": PASSWORD, "new_password": "another good one"}, **bearer)

    problem(wrong, 403, "wrong_password")
    problem(weak, 400, "", "/new_password")
    assert right.status_code == 204
    decoded(caller.post(TOKEN, {"email": "ada@example.org", "password": "another good one"}))
    decoded(caller.get(ME, **bearer))


@pytest.mark.django_db
def test_token_of_an_account_that_is_gone_is_401(customer: Caller) -> None:
    problem(customer.get(ME), 401)


@pytest.mark.django_db
def test_list_is_for_staff_in_pages(customer: Caller, staff: Caller, nobody: Caller) -> None:
    for _ in range(5):
        make_account()

    seen, link = [], f"{USERS}?page_size=2"
    while link:
        page = decoded(staff.get(link))
        seen += [one["id"] for one in page["results"]]
        link = page["next"]

    assert len(set(seen)) == 5
    problem(customer.get(USERS), 403)
    problem(nobody.get(USERS), 401)


@pytest.mark.django_db
def test_key_set_may_be_cached_and_revalidated(ring: None) -> None:
    caller = Caller()
    answer = caller.get("/.well-known/jwks.json")

    assert len(decoded(answer)["keys"]) == 2
    assert answer["Cache-Control"] == "public, max-age=60"
    again = caller.get("/.well-known/jwks.json", If_None_Match=answer["ETag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.django_db
def test_bad_token_is_401_on_open_routes_too(ring: None) -> None:
    caller = Caller()

    problem(caller.post(TOKEN, {"email": "a@example.org", "password": "x"}, Authorization="Bearer x"), 401)
    problem(
        caller.post(USERS, {"email": "a@example.org", "password": PASSWORD}, Authorization="Basic eDp5"), 401
    )
    assert not Account.objects.exists()
