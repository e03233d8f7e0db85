"""Accounts and tokens over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from servicekit.auth import jwks
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from tests.people import Person
from users.api.serializers import AccountRead
from users.models import Account, RefreshToken, Registration, Session, SigningKey
from users.services import signing_keys

USERS, TOKEN, REFRESH, REVOKE = (
    "/api/users/",
    "/api/auth/token/",
    "/api/auth/refresh/",
    "/api/auth/revoke/",
)
ACCOUNTS, CONFIRM = "/api/users/accounts/", "/api/users/registration/"
ME, KEYS = "/api/users/me/", "/.well-known/jwks.json"


@pytest.mark.django_db
def test_account_that_an_admin_made_logs_in_and_reads_itself(ring: None) -> None:
    caller, admin = Caller(), Person(make_account(is_staff=True))
    made = admin.post(ACCOUNTS, {"email": "Ada@example.org", "password": PASSWORD, "name": "Ada"})
    account = decoded(made, 201)

    answer = caller.post(TOKEN, {"email": "ada@EXAMPLE.org", "password": PASSWORD})
    tokens = decoded(answer)
    me = caller.get(ME, Authorization=f"Bearer {tokens['access_token']}")

    assert decoded(me) == account
    assert (account["email"], account["name"], account["roles"], account["email_verified"]) == (
        "ada@example.org",
        "Ada",
        ["customer"],
        True,
    )
    assert made["Location"] == f"/api/users/{account['id']}/"
    assert {answered["Cache-Control"] for answered in (made, answer, me)} == {"no-store"}
    assert "password" not in account


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["Bearer a.b.c", "Basic Og==", "Bearer"])
def test_old_token_stands_not_in_the_way_of_a_new_one(ring: None, header: str) -> None:
    caller = Caller()
    who = {"email": "ada@example.org", "password": PASSWORD}
    made = {"token": "x" * 43, "password": PASSWORD}
    make_account(email="ada@example.org")

    assert caller.post(USERS, who, Authorization=header).status_code == 202
    problem(caller.post(CONFIRM, made, Authorization=header), 400, "unusable_token")
    tokens = decoded(caller.post(TOKEN, who, Authorization=header))
    renewed = decoded(
        caller.post(REFRESH, {"refresh_token": tokens["refresh_token"]}, Authorization=header)
    )
    ended = caller.post(REVOKE, {"refresh_token": renewed["refresh_token"]}, Authorization=header)

    assert ended.status_code == 204
    problem(caller.get(USERS, Authorization=header), 401)


@pytest.mark.django_db
def test_wrong_password_is_401_with_a_challenge(ring: None) -> None:
    refused = Caller().post(TOKEN, {"email": "ada@example.org", "password": "not the right one"})

    assert problem(refused, 401)["code"]
    assert refused["WWW-Authenticate"].startswith("Bearer")


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
    "own is_staff": (
        {"email": "ada@example.org", "password": PASSWORD, "is_staff": True},
        "/is_staff",
    ),
    "NUL": ({"email": "ada@example.org", "password": PASSWORD, "name": "a\0b"}, ""),
    "bidi": ({"email": "ada@example.org", "password": PASSWORD, "name": "a\u202eb"}, "/name"),
    "long name": ({"email": "ada@example.org", "password": PASSWORD, "name": "x" * 201}, "/name"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("path", [USERS, ACCOUNTS])
@pytest.mark.parametrize("name", BAD)
def test_bad_registration_is_400_with_a_pointer_and_leaves_nothing(
    staff: Caller, name: str, path: str
) -> None:
    body, pointer = BAD[name]

    found = problem(staff.post(path, body), 400)

    assert pointer in [error["pointer"] for error in found.get("errors", [{"pointer": ""}])]
    assert not Account.objects.exists()
    assert not Registration.objects.exists()
    assert outbox_events() == []


@pytest.mark.django_db
def test_unreadable_bodies_are_4xx(nobody: Caller, customer: Caller) -> None:
    for raw in (
        b"",
        b"{",
        b'{"email": "\\ud800"}',
        b'{"email": NaN}',
        b"\xff",
        b'{"a": 1, "a": 2}',
    ):
        problem(nobody.call("POST", USERS, raw=raw), 400)
    problem(nobody.call("POST", USERS, raw=b"x" * 5_000_000), 413)
    problem(nobody.call("POST", USERS, raw=b"{}", content_type="text/plain"), 415)
    problem(customer.call("DELETE", ME), 405)
    assert not Account.objects.exists()


@pytest.mark.django_db
def test_wrong_log_in_does_not_tell_what_is_wrong(ring: None, nobody: Caller) -> None:
    make_account(email="ada@example.org")

    answers = [
        nobody.post(TOKEN, {"email": email, "password": password})
        for email, password in (
            ("ada@example.org", "wrong"),
            ("bob@example.org", PASSWORD),
            ("?", "wrong"),
        )
    ]

    bodies = [problem(answer, 401, "wrong_credentials") for answer in answers]
    assert len({(body["detail"], body["title"]) for body in bodies}) == 1
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
    problem(
        caller.post(REFRESH, {"refresh_token": second["refresh_token"]}),
        401,
        "invalid_refresh_token",
    )
    for tokens in (first, second):
        answer = caller.get(ME, Authorization=f"Bearer {tokens['access_token']}")
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        problem(answer, 401)
    assert caller.post(REVOKE, {"refresh_token": "unknown"}).status_code == 204


@pytest.mark.django_db
@pytest.mark.parametrize("path", [REFRESH, REVOKE])
@pytest.mark.parametrize(
    "body",
    [{}, {"refresh_token": 7}, {"refresh_token": ""}, {"refresh_token": "x" * 300}, {"token": "x"}],
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

    wrong = caller.post(
        path, {"current_password": "wrong", "new_password": "another good one"}, **bearer
    )
    weak = caller.post(path, {"current_password": PASSWORD, "new_password": "short"}, **bearer)
    right = caller.post(
        path, {"current_password": PASSWORD, "new_password": "another good one"}, **bearer
    )

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
        seen += [account["id"] for account in page["results"]]
        link = page["next"]

    assert len(set(seen)) == 5
    problem(customer.get(USERS), 403)
    problem(nobody.get(USERS), 401)


@pytest.mark.django_db
def test_key_set_may_be_cached_and_revalidated(ring: None) -> None:
    caller = Caller()
    answer = caller.get("/.well-known/jwks.json")

    assert len(decoded(answer)["keys"]) == 2
    assert answer["Cache-Control"] == "public, max-age=30"
    again = caller.get("/.well-known/jwks.json", If_None_Match=answer["ETag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "password",
    [
        "12 chars and",
        "x" * 7 + "!",
        "x" * 127 + "!",
        "  blanks around  ",
        "пароль-длинный",
        "🏮" * 8,
    ],
)
def test_password_is_taken_exactly_as_it_was_typed(
    ring: None, staff: Caller, password: str
) -> None:
    caller = Caller()
    decoded(staff.post(ACCOUNTS, {"email": "ada@example.org", "password": password}), 201)

    decoded(caller.post(TOKEN, {"email": "ada@example.org", "password": password}))
    for other in {password.upper(), password.strip(), password + " ", password[:-1]} - {password}:
        problem(caller.post(TOKEN, {"email": "ada@example.org", "password": other}), 401)


@pytest.mark.django_db
def test_name_is_optional_and_kept_as_it_came(staff: Caller) -> None:
    for number, name in enumerate(["", " Ada  Lovelace ", "Zoë 🏮", "x" * 200]):
        body = {"email": f"ada{number}@example.org", "password": PASSWORD, "name": name}
        assert decoded(staff.post(ACCOUNTS, body), 201)["name"] == name
    bare = decoded(staff.post(ACCOUNTS, {"email": "ada@example.org", "password": PASSWORD}), 201)

    assert bare["name"] == ""


@pytest.mark.django_db
def test_every_fault_of_a_registration_is_told_at_once(nobody: Caller) -> None:
    body = {"email": "ada", "password": 7, "name": None}

    found = problem(nobody.post(USERS, body), 400, "invalid", "/email", "/password", "/name")

    assert [error["code"] for error in found["errors"]] == ["invalid_email", "invalid", "null"]


@pytest.mark.django_db
def test_answers_never_repeat_a_password(nobody: Caller) -> None:
    for path in (USERS, TOKEN):
        for password in ("hunter2", "hunter2" * 200):
            answer = nobody.post(path, {"email": "ada@example.org", "password": password})
            assert answer.status_code in {400, 401}
            assert b"hunter2" not in answer.content


@pytest.mark.django_db
def test_admin_is_told_a_taken_address_and_nothing_changes(staff: Caller) -> None:
    account = make_account(email="ada@example.org", name="Ada")
    before = outbox_events()

    answer = staff.post(
        ACCOUNTS, {"email": "Ada@Example.org", "password": "another good one", "name": "Eve"}
    )

    found = problem(answer, 409, "email_taken")
    assert found["title"] == "Email taken"
    left = Account.objects.get()
    assert (left.pk, left.name, left.password) == (account.pk, "Ada", account.password)
    assert outbox_events() == before


@pytest.mark.django_db
def test_log_in_of_an_inactive_account_is_like_any_other_wrong_one(
    ring: None, nobody: Caller
) -> None:
    make_account(email="gone@example.org", is_active=False)

    answers = [
        problem(
            nobody.post(TOKEN, {"email": email, "password": PASSWORD}), 401, "wrong_credentials"
        )
        for email in ("gone@example.org", "bob@example.org")
    ]

    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1]
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_refresh_twice_gives_the_same_bytes_and_keeps_them_out_of_caches(ring: None) -> None:
    caller = Caller()
    account = make_account()
    first = decoded(caller.post(TOKEN, {"email": account.email, "password": PASSWORD}))

    answers = [caller.post(REFRESH, {"refresh_token": first["refresh_token"]}) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}
    assert set(decoded(answers[0])) == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "refresh_expires_in",
    }


@pytest.mark.django_db
def test_refused_refresh_is_challenged(ring: None, nobody: Caller) -> None:
    answer = nobody.post(REFRESH, {"refresh_token": "unknown"})

    problem(answer, 401, "invalid_refresh_token")
    assert answer["WWW-Authenticate"] == 'Bearer realm="souk", error="invalid_token"'


@pytest.mark.django_db
def test_old_refresh_token_over_http_ends_the_session(ring: None) -> None:
    caller = Caller()
    account = make_account()
    first = decoded(caller.post(TOKEN, {"email": account.email, "password": PASSWORD}))
    second = decoded(caller.post(REFRESH, {"refresh_token": first["refresh_token"]}))
    RefreshToken.objects.exclude(spent_at=None).update(
        spent_at=timezone.now() - timedelta(seconds=11)
    )

    problem(
        caller.post(REFRESH, {"refresh_token": first["refresh_token"]}),
        401,
        "invalid_refresh_token",
    )

    problem(
        caller.post(REFRESH, {"refresh_token": second["refresh_token"]}),
        401,
        "invalid_refresh_token",
    )
    problem(caller.get(ME, Authorization=f"Bearer {second['access_token']}"), 401, "invalid_token")
    assert len(outbox_events("users.user_sessions_revoked.v1")) == 1


@pytest.mark.django_db
def test_change_of_password_ends_the_other_sessions_at_once(ring: None) -> None:
    caller = Caller()
    account = make_account()
    here, there = (
        decoded(caller.post(TOKEN, {"email": account.email, "password": PASSWORD}))
        for _ in range(2)
    )
    body = {"current_password": PASSWORD, "new_password": "another good one"}

    done = caller.post(
        "/api/users/me/password/", body, Authorization=f"Bearer {here['access_token']}"
    )

    assert (done.status_code, done.content) == (204, b"")
    problem(caller.get(ME, Authorization=f"Bearer {there['access_token']}"), 401, "invalid_token")
    problem(caller.post(REFRESH, {"refresh_token": there["refresh_token"]}), 401)
    problem(
        caller.post(TOKEN, {"email": account.email, "password": PASSWORD}), 401, "wrong_credentials"
    )
    decoded(caller.post(REFRESH, {"refresh_token": here["refresh_token"]}))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [({"current_password": PASSWORD, "new_password": "seven.."}, 400, "/new_password"),
     ({"current_password": PASSWORD, "new_password": "x" * 129}, 400, "/new_password"),
     ({"current_password": PASSWORD, "new_password": "password1"}, 400, "/new_password"),
     ({"current_password": PASSWORD, "new_password": "ADA@example.org"}, 400, "/new_password"),
     ({"new_password": "another good one"}, 400, "/current_password"),
     ({"current_password": "wrong", "new_password": "another good one"}, 403, "")],
)  # fmt: skip
def test_refused_change_of_password_changes_nothing(
    customer: Caller, body: dict[str, Any], status: int, pointer: str
) -> None:
    account = make_account(customer.id, email="ada@example.org")
    before = outbox_events()

    answer = problem(customer.post("/api/users/me/password/", body), status)

    assert [error["pointer"] for error in answer.get("errors", [])] == (
        [pointer] if pointer else []
    )
    assert Account.objects.get().password == account.password
    assert outbox_events() == before


@pytest.mark.django_db
def test_list_shows_the_newest_first_and_no_secret(staff: Caller) -> None:
    ids = [str(make_account().pk) for _ in range(3)]

    answer = staff.get(USERS)

    page = decoded(answer)
    assert [account["id"] for account in page["results"]] == ids[::-1]
    assert page["next"] is None
    assert {frozenset(account) for account in page["results"]} == {frozenset(AccountRead().fields)}
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    ["page_size=0", "page_size=101", "page_size=-1", "page_size=x", "page_size=%D9%A1",
     "page_size=2&page_size=3", "cursor=",
     "cursor=AAAA", "cursor=%00", "cursor=%FF", "cursor=" + "A" * 5000, "roles=staff"],
)  # fmt: skip
def test_bad_query_of_the_list_is_400(staff: Caller, query: str) -> None:
    make_account()

    problem(staff.get(f"{USERS}?{query}"), 400)


@pytest.mark.django_db
def test_head_answers_as_get_without_a_body(ring: None, staff: Caller) -> None:
    make_account()

    for path in (f"{USERS}?page_size=1", KEYS):
        head = staff.call("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.django_db
@pytest.mark.parametrize("wrap", ["{}", "W/{}", '"other", {}', '"other",W/{}', "*"])
def test_key_set_is_revalidated_however_the_tag_is_sent(ring: None, wrap: str) -> None:
    tag = Caller().get(KEYS)["ETag"]

    answer = Caller().get(KEYS, If_None_Match=wrap.format(tag))

    # RFC 9110, 13.1.2: compared weakly, and nginx weakens the tag of what it compresses.
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer["ETag"], answer["Cache-Control"]) == (tag, "public, max-age=30")


@pytest.mark.django_db
def test_key_set_has_another_tag_after_a_rotation(ring: None) -> None:
    before = Caller().get(KEYS)

    signing_keys.withdraw_signing_keys()

    after = Caller().get(KEYS, If_None_Match=before["ETag"])
    assert len(decoded(after)["keys"]) == 2
    assert after["ETag"] != before["ETag"]
    assert Caller().get(KEYS, If_None_Match='"x", nonsense').status_code == 200


@pytest.mark.django_db
def test_key_set_is_what_verifiers_read_and_holds_nothing_private(ring: None) -> None:
    answer = Caller().get(KEYS, Authorization="Bearer expired.long.ago")

    assert set(jwks.read_keys(answer.content)) == set(
        SigningKey.objects.values_list("kid", flat=True)
    )
    assert all("d" not in key for key in decoded(answer)["keys"])
    assert b"PRIVATE" not in answer.content


@pytest.mark.django_db
def test_service_without_a_signing_key_is_503_and_says_what_to_run(nobody: Caller) -> None:
    signing_keys.forget_ring()
    make_account(email="ada@example.org")

    for answer in (
        nobody.get("/.well-known/jwks.json"),
        nobody.post(TOKEN, {"email": "ada@example.org", "password": PASSWORD}),
    ):
        assert "ensure_signing_keys" in problem(answer, 503, "no_signing_key")["detail"]
        assert int(answer["Retry-After"]) > 0
    assert not Session.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed",
    [
        " ada@example.org",
        "ada@example.org ",
        "\tAda@example.org\r\n",
        "\u00a0ada@example.org\u3000",
    ],
)
def test_blanks_around_an_address_are_nothing_to_log_in_and_register(
    ring: None, staff: Caller, typed: str
) -> None:
    caller = Caller()
    registered = staff.post(ACCOUNTS, {"email": typed, "password": PASSWORD})
    again = staff.post(ACCOUNTS, {"email": "ada@example.org", "password": PASSWORD})

    logged_in = caller.post(TOKEN, {"email": typed, "password": PASSWORD})
    blank_in_password = caller.post(TOKEN, {"email": typed, "password": f"{PASSWORD} "})

    assert decoded(registered, 201)["email"] == "ada@example.org"
    assert again.status_code == 409
    assert "access_token" in decoded(logged_in)
    problem(blank_in_password, 401)
