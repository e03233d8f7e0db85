"""What strangers send: bodies, methods, headers and tokens that nobody may trust."""

import json
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.tokens import Signer, make_token
from tests.factories import PASSWORD, make_account
from users.models import Account, Session
from users.services import sessions, signing_keys

USERS, TOKEN, REFRESH, REVOKE = (
    "/api/users/",
    "/api/auth/token/",
    "/api/auth/refresh/",
    "/api/auth/revoke/",
)
ME, PASSWORDS, KEYS = "/api/users/me/", "/api/users/me/password/", "/.well-known/jwks.json"
GOOD: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", USERS): {"email": "ada@example.org", "password": PASSWORD, "name": "Ada"},
    ("POST", TOKEN): {"email": "ada@example.org", "password": PASSWORD},
    ("POST", REFRESH): {"refresh_token": "x"},
    ("POST", REVOKE): {"refresh_token": "x"},
    ("PATCH", ME): {"name": "Countess"},
    ("POST", ME + "delete/"): {"password": PASSWORD},
    ("POST", ME + "deactivate/"): {"password": PASSWORD},
    ("POST", ME + "addresses/"): {
        "name": "Ada",
        "line1": "12 Larkspur Row",
        "city": "London",
        "country": "GB",
    },
    ("POST", "/api/users/verification/"): {"token": "x"},
    ("POST", "/api/users/email/"): {"token": "x"},
    ("POST", "/api/users/me/email/"): {
        "new_email": "bob@example.org",
        "current_password": PASSWORD,
    },
    ("POST", "/api/users/password-reset/"): {"email": "ada@example.org"},
    ("POST", "/api/users/password-reset/confirm/"): {"token": "x", "new_password": PASSWORD},
    ("POST", PASSWORDS): {"current_password": PASSWORD, "new_password": "another good one"},
}
MEMBERS = [(*route, member) for route, body in GOOD.items() for member in body]
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "trailing text": b"{} x",
    "single quotes": b"{'email': 'a'}",
    "comment": b"/**/{}",
    "bad UTF-8": b'{"email": "\xff"}',
    "UTF-16": '{"email": "a"}'.encode("utf-16"),
    "byte-order mark": b"\xef\xbb\xbf{}",
    "NUL": b'{"name": "a\\u0000b"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate as a name": b'{"\\udfff": 1}',
    "duplicate member": b'{"email": "a@example.org", "email": "b@example.org"}',
    "duplicate member, once escaped": b'{"email": "a@example.org", "\\u0065mail": "b@example.org"}',
    "NaN": b'{"email": NaN}',
    "Infinity": b'{"email": -Infinity}',
    "huge number": b'{"email": 1e999}',
    "long number": b'{"email": ' + b"9" * 6000 + b"}",
    "deep": b'{"email": ' + b"[" * 8_000 + b"]" * 8_000 + b"}",
    "deep objects": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "array": b"[]",
    "array of good": b'[{"email": "ada@example.org"}]',
    "text": b'"email"',
    "null": b"null",
    "number": b"7",
    "true": b"true",
}


@pytest.fixture
def ada(customer: Caller) -> Caller:
    """A customer who has an account."""
    make_account(customer.id, email="ada@example.org", name="Ada")
    return customer


def state() -> list[object]:
    columns = ("id", "email", "name", "password", "is_staff", "version")
    return [
        list(Account.objects.order_by("id").values_list(*columns)),
        Session.objects.count(),
        outbox_events(),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_body_is_400_everywhere_and_changes_nothing(ada: Caller, name: str) -> None:
    before = state()

    for method, path in GOOD:
        problem(ada.call(method, path, raw=HOSTILE[name]), 400)

    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "member"), MEMBERS)
def test_member_that_is_no_text_is_400(ada: Caller, method: str, path: str, member: str) -> None:
    before = state()

    for value in (None, 12345678, True, 1.5, [PASSWORD], {"a": PASSWORD}):
        problem(
            ada.call(method, path, {**GOOD[method, path], member: value}),
            400,
            "invalid",
            f"/{member}",
        )

    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "member"), MEMBERS)
def test_text_that_lies_or_is_too_long_is_400(
    ada: Caller, method: str, path: str, member: str
) -> None:
    before = state()

    for text in ("a\u202eb", "a\x1bb", "a\x7fb", "a\ufeffb", "x" * 5000):
        problem(
            ada.call(method, path, {**GOOD[method, path], member: text}),
            400,
            "invalid",
            f"/{member}",
        )

    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), GOOD)
def test_unknown_members_are_400_and_named(ada: Caller, method: str, path: str) -> None:
    before = state()
    body = {**GOOD[method, path], "roles": ["staff"], "a/b~c": 1, "id": str(uuid7())}

    answer = problem(ada.call(method, path, body), 400, "invalid", "/a~1b~0c", "/id", "/roles")

    assert {error["code"] for error in answer["errors"]} == {"unknown_member"}
    assert state() == before


@pytest.mark.django_db
def test_thousand_unknown_members_are_told_in_a_short_answer(nobody: Caller) -> None:
    answer = nobody.post(USERS, {f"m{number}": 1 for number in range(1000)})

    assert len(problem(answer, 400)["errors"]) == 10
    assert len(answer.content) < 3000


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), GOOD)
def test_body_of_five_megabytes_is_413(ada: Caller, method: str, path: str) -> None:
    before = state()
    raw = json.dumps({**GOOD[method, path], "name": "x" * 5_000_000}).encode()

    problem(ada.call(method, path, raw=raw), 413, "body_too_large")

    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/json; charset=utf-16",
     "application/problem+json"],
)  # fmt: skip
def test_other_media_types_are_415(ada: Caller, content_type: str) -> None:
    before = state()

    for (method, path), body in GOOD.items():
        problem(ada.call(method, path, body, content_type=content_type), 415)

    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), [*GOOD, ("GET", USERS), ("GET", ME), ("GET", KEYS)])
def test_answers_are_json_or_406(ring: None, staff: Caller, method: str, path: str) -> None:
    before = state()

    problem(staff.call(method, path, GOOD.get((method, path)), Accept="text/html"), 406)

    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (USERS, "GET, HEAD, OPTIONS, POST"),
        (ME, "GET, HEAD, OPTIONS, PATCH"),
        (PASSWORDS, "OPTIONS, POST"),
        (TOKEN, "OPTIONS, POST"),
        (REFRESH, "OPTIONS, POST"),
        (REVOKE, "OPTIONS, POST"),
        (KEYS, "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods_are_405_with_those_allowed(
    ring: None, staff: Caller, path: str, allowed: str
) -> None:
    before = state()

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "BREW"} - set(allowed.split(", ")):
        answer = staff.call(method, path, {})
        problem(answer, 405, "method_not_allowed")
        assert ", ".join(sorted(answer["Allow"].split(", "))) == allowed

    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/api/users",
        "/api/users/0190a5b4-0000-7000-8000-000000000009/",
        "/api/auth/",
        "/api/users/me/roles/",
        "/admin/",
    ],
)
def test_other_addresses_are_404(staff: Caller, path: str) -> None:
    problem(staff.get(path), 404, "not_found")


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), [*GOOD, ("GET", ME), ("GET", KEYS)])
def test_unknown_parameter_is_400(ring: None, ada: Caller, method: str, path: str) -> None:
    before = state()

    answer = problem(ada.call(method, f"{path}?role=staff", GOOD.get((method, path))), 400)

    assert [error["code"] for error in answer["errors"]] == ["unknown_parameter"]
    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path"), [("GET", USERS), ("GET", ME), ("PATCH", ME), ("POST", PASSWORDS)]
)
def test_nobody_is_challenged(nobody: Caller, method: str, path: str) -> None:
    answer = nobody.call(method, path, GOOD.get((method, path)))

    problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="souk"'


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), [("GET", ME), ("PATCH", ME), ("POST", PASSWORDS)])
def test_token_of_an_inactive_account_is_401(ada: Caller, method: str, path: str) -> None:
    Account.objects.update(is_active=False)
    before = state()

    answer = ada.call(method, path, GOOD.get((method, path)))

    problem(answer, 401, "invalid_token")
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]
    assert state() == before


@pytest.mark.django_db
def test_tokens_of_strangers_under_our_key_id_are_refused(ring: None) -> None:
    account = make_account()
    claims = {"sub": str(account.pk), "roles": ["customer", "staff"]}
    forged = Signer(signing_keys.signing_key().kid).token(**claims)
    unknown = make_token(account.pk, roles=("customer", "staff"))

    for token in (forged, unknown):
        answer = Caller().get(USERS, Authorization=f"Bearer {token}")
        problem(answer, 401, "invalid_token")


@pytest.mark.django_db
def test_role_is_the_one_signed_and_no_other(ring: None) -> None:
    account = make_account()
    token = sessions.log_in(email=account.email, password=PASSWORD)["access_token"]
    Account.objects.update(is_staff=True)

    answer = Caller().get(
        USERS, Authorization=f"Bearer {token}", X_Roles="staff", X_User_Roles="staff"
    )

    problem(answer, 403, "permission_denied")


@pytest.mark.django_db
def test_refresh_token_is_no_access_token_and_the_reverse(ring: None) -> None:
    account = make_account()
    tokens = sessions.log_in(email=account.email, password=PASSWORD)
    before = state()

    problem(
        Caller().get(ME, Authorization=f"Bearer {tokens['refresh_token']}"), 401, "invalid_token"
    )
    problem(
        Caller().post(REFRESH, {"refresh_token": tokens["access_token"]}), 400, "", "/refresh_token"
    )

    assert state() == before


@pytest.mark.django_db
def test_scheme_is_read_in_any_case(ring: None) -> None:
    account = make_account()
    token = sessions.log_in(email=account.email, password=PASSWORD)["access_token"]

    for scheme in ("Bearer", "bearer", "BEARER"):
        assert decoded(Caller().get(ME, Authorization=f"{scheme} {token}"))["id"] == str(account.pk)
