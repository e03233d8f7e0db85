"""Machine clients: two secrets at most, scopes that bound what they may do, withdrawn at once."""

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import jwt
import pytest
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth import revocations
from servicekit.auth import tokens as access_tokens
from servicekit.auth.permissions import MissingRole
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import PASSWORD, make_account
from users.errors import InvalidClient
from users.models import LoginAttempt, ServiceClient
from users.services import service_clients, sessions
from users.services.service_clients import NewSecret

CLIENTS, TOKEN = "/api/clients/", "/api/auth/oauth/token/"
REVOKED = "users.user_sessions_revoked.v1"
FORM = "application/x-www-form-urlencoded"
GRANT = {"grant_type": "client_credentials"}


def make_client(*scopes: str, name: str = "Warehouse") -> NewSecret:
    return service_clients.create_client(
        name=name, scopes=scopes or ("users:read", "stock:read"), by=an_admin()
    )


def an_admin() -> UUID:
    return make_account(roles=["admin"]).pk


def basic(client_id: object, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def ask(
    made: NewSecret | None = None,
    /,
    *,
    authorization: str = "",
    raw: bytes | None = None,
    **form: str,
) -> HttpResponse:
    """Ask for a token as an OAuth client does."""
    header = authorization or (basic(made.client.pk, made.secret) if made else "")
    headers = {"Authorization": header} if header else {}
    body = urlencode({**GRANT, **form}).encode() if raw is None else raw
    return Caller().call("POST", TOKEN, raw=body, content_type=FORM, **headers)


def token_of(made: NewSecret, **form: str) -> str:
    return str(decoded(ask(made, **form))["access_token"])


def oauth_error(answer: HttpResponse, status: int, error: str) -> None:
    """Check an error of RFC 6749, 5.2, which is a problem as well."""
    body = problem(answer, status)
    assert body["error"] == error, body
    assert body["error_description"] == body["detail"]
    assert not set('"\\') & set(body["error_description"])
    assert answer["Cache-Control"] == "no-store"


def state() -> list[Any]:
    return list(ServiceClient.objects.order_by("pk").values())


@pytest.fixture
def admin(ring: None) -> dict[str, str]:
    """The header of an admin."""
    account = make_account(roles=["admin"])
    tokens = sessions.log_in(email=account.email, password=PASSWORD)
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.mark.django_db
def test_client_is_made_and_its_secret_told_once(admin: dict[str, str]) -> None:
    body = {"name": "Warehouse", "scopes": ["stock:write", "stock:read"]}

    answer = Caller().post(CLIENTS, body, **admin)

    made = decoded(answer, 201)
    assert answer["Cache-Control"] == "no-store"
    assert made["client"]["scopes"] == ["stock:read", "stock:write"]
    assert (made["client"]["active"], made["client"]["last_used_at"]) == (True, None)
    listed = Caller().get(CLIENTS, **admin)
    assert decoded(listed)["results"] == [made["client"]]
    assert made["client_secret"] not in listed.content.decode()
    kept = ServiceClient.objects.get()
    assert made["client_secret"].encode() not in bytes(kept.secret_digest)
    header = basic(made["client"]["client_id"], made["client_secret"])
    assert ask(authorization=header).status_code == 200


@pytest.mark.django_db
def test_token_says_what_the_client_may_and_no_more(ring: None) -> None:
    made = make_client("users:read", "stock:read")

    answer = ask(made)

    body = decoded(answer)
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    assert body["scope"] == "stock:read users:read"
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    moments = [claims.pop(name) for name in ("iat", "nbf", "exp")]
    assert moments[2] - moments[0] == 300
    assert claims.pop("jti")
    made.client.refresh_from_db()
    assert claims == {
        "iss": "souk",
        "aud": "souk",
        "sub": str(made.client.pk),
        "client_id": str(made.client.pk),
        "sid": str(made.client.session_id),
        "scope": "stock:read users:read",
        "roles": ["machine"],
    }
    assert made.client.last_used_at is not None
    assert access_tokens.verified(body["access_token"]).claims.client_id == made.client.pk


@pytest.mark.django_db
def test_client_does_what_its_scope_allows_and_nothing_else(ring: None) -> None:
    reader = {"Authorization": f"Bearer {token_of(make_client('users:read'))}"}
    other = {"Authorization": f"Bearer {token_of(make_client('stock:read', name='x'))}"}
    nobody = Caller()

    assert nobody.get("/api/users/", **reader).status_code == 200
    problem(nobody.get("/api/users/", **other), 403, "insufficient_scope")
    for path in ("/api/users/me/", CLIENTS, f"/api/users/{uuid7()}/roles/"):
        problem(nobody.get(path, **reader), 403, "insufficient_scope")
    problem(nobody.post(CLIENTS, {"name": "x", "scopes": []}, **reader), 403, "insufficient_scope")


@pytest.mark.django_db
def test_token_may_be_asked_for_fewer_scopes(ring: None) -> None:
    made = make_client("users:read", "stock:read")
    token = token_of(made, scope="stock:read")

    assert access_tokens.verified(token).claims.scopes == {"stock:read"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "scope",
    ["orders:read", "users:read orders:read", " ", "users:read ", "users:read\n", "*", "a" * 9000],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_scope_that_the_client_lacks_is_refused(ring: None, scope: str) -> None:
    made = make_client("users:read")
    answer = ask(made, scope=scope)

    oauth_error(answer, 400, "invalid_scope")
    made.client.refresh_from_db()
    assert made.client.last_used_at is None


def wrong_credentials(made: NewSecret) -> dict[str, str]:
    client, secret = made.client.pk, made.secret
    good = basic(client, secret)
    return {
        "no header": "",
        "wrong secret": basic(client, secret[:-1]),
        "no secret": basic(client, ""),
        "hash as the secret": basic(client, bytes(made.client.secret_digest).hex()),
        "unknown client": basic(uuid7(), secret),
        "no client": basic("", secret),
        "client that is no id": basic("x' OR 1=1 --", secret),
        "client in another form": basic(client.hex, secret),
        "NUL": basic(f"{client}\0", secret),
        "no colon": "Basic " + base64.b64encode(secret.encode()).decode(),
        "not base64": "Basic !!!",
        "bad padding": good.rstrip("=") + "=" * 3,
        "not ASCII": "Basic " + base64.b64encode("é:é".encode()).decode(),
        "bearer": "Bearer " + secret,
        "two": f"{good}, {good}",
        "long": "Basic " + "A" * 4000,
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", list(wrong_credentials(NewSecret(ServiceClient(secret_digest=b"x"), "x")))
)
def test_wrong_credentials_are_refused_alike(ring: None, name: str) -> None:
    made = make_client()
    before = state()

    answer = ask(authorization=wrong_credentials(made)[name])

    oauth_error(answer, 401, "invalid_client")
    assert answer["WWW-Authenticate"] == 'Basic realm="souk"'
    assert problem(answer, 401, "invalid_client")["detail"] == InvalidClient().detail
    assert state() == before


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_scheme_is_read_in_any_case(ring: None, scheme: str) -> None:
    made = make_client()
    header = basic(made.client.pk, made.secret).replace("Basic", scheme)

    assert ask(authorization=header).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "invalid_request"),
        (b"grant_type=", "invalid_request"),
        (b"grant_type", "invalid_request"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        (b"grant_type=client_credentials&scope=a&scope=b", "invalid_request"),
        (b"grant_type=%ff", "invalid_request"),
        (b"grant_type=\xff", "invalid_request"),
        (b"&".join(b"x%d=1" % number for number in range(30)), "invalid_request"),
        (b"grant_type=client_credentials&client_secret=x", "invalid_request"),
        (b"grant_type=client_credentials&client_id=another", "invalid_request"),
        (b'{"grant_type": "client_credentials"}', "invalid_request"),
        (b"grant_type=password&username=a&password=b", "unsupported_grant_type"),
        (b"grant_type=refresh_token", "unsupported_grant_type"),
        (b"grant_type=Client_Credentials", "unsupported_grant_type"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_request_that_is_none_is_refused(ring: None, raw: bytes, error: str) -> None:
    made = make_client()
    before = state()

    oauth_error(ask(made, raw=raw), 400, error)

    assert state() == before


@pytest.mark.django_db
def test_other_media_types_are_refused_in_the_same_words(ring: None) -> None:
    made = make_client()
    header = {"Authorization": basic(made.client.pk, made.secret)}

    answer = Caller().post(TOKEN, GRANT, **header)

    oauth_error(answer, 415, "invalid_request")
    assert answer["Accept"] == FORM


@pytest.mark.django_db
def test_parameters_that_nobody_knows_are_ignored(ring: None) -> None:
    """RFC 6749, 3.2; and a client may name itself in the body, too."""
    made = make_client()

    answer = ask(made, audience="souk", client_id=str(made.client.pk), scope="")

    assert decoded(answer)["scope"] == "stock:read users:read"


@pytest.mark.django_db
def test_wrong_secrets_are_slowed_down_and_the_right_one_is_not(ring: None) -> None:
    made = make_client()
    wrong = basic(made.client.pk, "wrong")

    statuses = [ask(authorization=wrong).status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]
    answer = ask(authorization=wrong)
    oauth_error(answer, 429, "temporarily_unavailable")
    assert 1 <= int(answer["Retry-After"]) <= 15
    assert str(made.client.pk) not in str(list(LoginAttempt.objects.values()))
    assert ask(made).status_code == 200


@pytest.mark.django_db
def test_unknown_client_is_slowed_down_alike(ring: None) -> None:
    unknown = basic(uuid7(), "wrong")

    statuses = [ask(authorization=unknown).status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]


@pytest.mark.django_db(transaction=True)
def test_wrong_secrets_at_once_are_counted_each(ring: None) -> None:
    made = make_client()
    wrong = basic(made.client.pk, "wrong")

    answers = at_once(*[lambda: ask(authorization=wrong).status_code] * 12)

    assert sorted(answers) == [401] * 5 + [429] * 7


@pytest.mark.django_db
def test_rotation_leaves_two_secrets_at_most(admin: dict[str, str]) -> None:
    first = make_client()
    path = f"{CLIENTS}{first.client.pk}/rotate/"

    second = decoded(Caller().post(path, {"overlap_seconds": 3600}, **admin))["client_secret"]

    assert ask(first).status_code == 200
    assert ask(NewSecret(first.client, second)).status_code == 200
    third = decoded(Caller().post(path, {}, **admin))["client_secret"]
    assert ask(first).status_code == 401
    assert ask(NewSecret(first.client, second)).status_code == 200
    assert ask(NewSecret(first.client, third)).status_code == 200
    assert outbox_events(REVOKED) == []


@pytest.mark.django_db
def test_old_secret_ends_with_the_overlap(ring: None) -> None:
    first = make_client()
    second = service_clients.rotate_secret(
        client_id=first.client.pk, overlap_seconds=60, by=an_admin()
    )

    over = timezone.now() - timedelta(seconds=1)
    ServiceClient.objects.update(old_secret_until=over)

    assert ask(first).status_code == 401
    assert ask(second).status_code == 200


@pytest.mark.django_db
def test_rotation_without_overlap_ends_the_tokens(admin: dict[str, str]) -> None:
    first = make_client()
    old = {"Authorization": f"Bearer {token_of(first)}"}
    path = f"{CLIENTS}{first.client.pk}/rotate/"

    answer = Caller().post(path, {"overlap_seconds": 0}, **admin)

    made = decoded(answer)
    assert made["client"]["old_secret_until"] is None
    assert ask(first).status_code == 401
    problem(Caller().get("/api/users/", **old), 401, "invalid_token")
    new = {"Authorization": f"Bearer {token_of(NewSecret(first.client, made['client_secret']))}"}
    assert Caller().get("/api/users/", **new).status_code == 200


@pytest.mark.django_db
def test_withdrawn_client_is_refused_with_all_its_tokens(admin: dict[str, str]) -> None:
    made = make_client()
    token = token_of(made)
    claims = access_tokens.verified(token).claims
    assert not revocations.is_revoked(claims)

    answer = Caller().post(f"{CLIENTS}{made.client.pk}/withdraw/", **admin)

    assert decoded(answer)["active"] is False
    problem(Caller().get("/api/users/", Authorization=f"Bearer {token}"), 401, "invalid_token")
    oauth_error(ask(made), 401, "invalid_client")
    (event,) = outbox_events(REVOKED)
    assert (event["data"]["user_id"], event["data"]["session_id"]) == (
        str(made.client.pk),
        str(claims.session_id),
    )


@pytest.mark.django_db
def test_withdrawn_client_stays_so(admin: dict[str, str]) -> None:
    made = make_client()
    service_clients.withdraw_client(client_id=made.client.pk, by=an_admin())
    before = state()

    for action in ("withdraw", "rotate"):
        answer = Caller().post(f"{CLIENTS}{made.client.pk}/{action}/", **admin)
        problem(answer, 409, "client_withdrawn")

    assert state() == before
    assert len(outbox_events(REVOKED)) == 1
    assert decoded(Caller().get(CLIENTS, **admin))["results"][0]["active"] is False


@pytest.mark.django_db(transaction=True)
def test_token_asked_for_while_the_client_is_withdrawn_is_refused_in_the_end(ring: None) -> None:
    made, admin_id = make_client(), an_admin()

    answers = at_once(
        *[lambda: ask(made)] * 4,
        lambda: service_clients.withdraw_client(client_id=made.client.pk, by=admin_id),
    )

    for answer in answers[:4]:
        if answer.status_code == 200:
            claims = access_tokens.verified(decoded(answer)["access_token"]).claims
            assert revocations.is_revoked(claims)
        else:
            oauth_error(answer, 401, "invalid_client")


@pytest.mark.django_db
def test_name_is_unique_among_clients_that_are_not_withdrawn(admin: dict[str, str]) -> None:
    made = make_client()
    body = {"name": "Warehouse", "scopes": ["stock:read"]}
    before = state()

    problem(Caller().post(CLIENTS, body, **admin), 409, "name_taken")

    assert state() == before
    service_clients.withdraw_client(client_id=made.client.pk, by=an_admin())
    assert Caller().post(CLIENTS, body, **admin).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x"}, "/scopes"),
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": "stock:read"}, "/scopes"),
        ({"name": "x", "scopes": ["admin"]}, "/scopes/0"),
        ({"name": "x", "scopes": ["stock:read", "*"]}, "/scopes/1"),
        ({"name": "x", "scopes": [None]}, "/scopes/0"),
        ({"name": "", "scopes": ["stock:read"]}, "/name"),
        ({"name": "a\nb", "scopes": ["stock:read"]}, "/name"),
        ({"name": "x" * 101, "scopes": ["stock:read"]}, "/name"),
        ({"name": "x", "scopes": ["stock:read"], "secret": "mine"}, "/secret"),
        ({"name": "x", "scopes": ["stock:read"], "client_id": "mine"}, "/client_id"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_client_that_is_none_is_refused(
    admin: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    problem(Caller().post(CLIENTS, body, **admin), 400, "invalid", pointer)

    assert state() == []


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [-1, 2_592_001, "60", 1.5, None, True])
def test_overlap_that_is_none_is_refused(admin: dict[str, str], seconds: object) -> None:
    made = make_client()
    before = state()
    path = f"{CLIENTS}{made.client.pk}/rotate/"

    answer = Caller().post(path, {"overlap_seconds": seconds}, **admin)

    problem(answer, 400, "invalid", "/overlap_seconds")
    assert state() == before


@pytest.mark.django_db
def test_t36_demoted_admin_makes_no_client_with_an_old_token(ring: None) -> None:
    """Its scopes would outlive the role."""
    made = make_client()
    before, demoted = state(), make_account(roles=["catalogue"]).pk

    with pytest.raises(MissingRole):
        service_clients.create_client(name="Mine", scopes=["users:read"], by=demoted)
    with pytest.raises(MissingRole):
        service_clients.rotate_secret(client_id=made.client.pk, overlap_seconds=0, by=demoted)
    with pytest.raises(MissingRole):
        service_clients.withdraw_client(client_id=made.client.pk, by=demoted)

    assert (state(), outbox_events(REVOKED)) == (before, [])


@pytest.mark.django_db
def test_unknown_client_is_not_found(admin: dict[str, str]) -> None:
    for action in ("rotate", "withdraw"):
        problem(Caller().post(f"{CLIENTS}{uuid7()}/{action}/", **admin), 404)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "columns",
    [
        {"scopes": []},
        {"old_secret_until": timezone.now()},
        {"old_secret_digest": b"x" * 32},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_database_refuses_a_client_that_cannot_be(columns: dict[str, Any]) -> None:
    made = make_client()

    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceClient.objects.filter(pk=made.client.pk).update(**columns)
