"""Who calls: 401 with a challenge for whoever proves nothing, wherever they knock."""

import json
import time
from typing import Any

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.auth import jwks, revocations
from servicekit.auth.authentication import CHALLENGE
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.fixtures import SetKit
from servicekit.testing.hostile_tokens import HostileToken, hostile_headers, hostile_tokens
from servicekit.testing.token_rows import ROWS, authorizations
from servicekit.testing.tokens import make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]
EVERY_VIEW = pytest.mark.parametrize("path", ["/open/", "/private/", "/staff/", "/staff-writes/"])
INVALID = f'{CHALLENGE}, error="invalid_token"'


@pytest.fixture
def nobody() -> Caller:
    return Caller()


@EVERY_VIEW
def test_staff_may_call_everything(path: str) -> None:
    caller = Caller("customer", "staff")

    assert decoded(caller.get(path)) == {"id": str(caller.id), "roles": ["customer", "staff"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/open/", 200), ("/private/", 200), ("/staff/", 403), ("/staff-writes/", 200)],
)
def test_customer_may_call_what_is_not_for_staff(path: str, status: int) -> None:
    assert Caller("customer").get(path).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [("/open/", 200), ("/private/", 401), ("/staff/", 401), ("/staff-writes/", 200)],
)
def test_nobody_may_call_what_is_open(nobody: Caller, path: str, status: int) -> None:
    assert nobody.get(path).status_code == status


@pytest.mark.parametrize(
    ("roles", "status"), [((), 401), (("customer",), 403), (("customer", "staff"), 200)]
)
def test_only_staff_writes(roles: tuple[str, ...], status: int) -> None:
    assert Caller(*roles).post("/staff-writes/").status_code == status


@pytest.mark.parametrize("role", ["Staff", "STAFF", "staff ", "staffing", "superuser", "admin"])
def test_role_that_resembles_staff_is_none(role: str) -> None:
    problem(Caller(role).get("/staff/"), 403, "permission_denied")


def test_anonymous_caller_has_no_id_and_no_roles(nobody: Caller) -> None:
    assert decoded(nobody.get("/open/")) == {"id": None, "roles": []}


def test_missing_token_is_challenged_without_an_error(nobody: Caller) -> None:
    """RFC 6750, 3.1: who sent no token did nothing wrong."""
    answer = nobody.get("/private/")

    problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == CHALLENGE


@EVERY_VIEW
def test_bad_token_is_refused_even_where_none_is_needed(nobody: Caller, path: str) -> None:
    answer = nobody.get(path, Authorization=f"Bearer {make_token()}x")

    problem(answer, 401, "invalid_token")
    assert answer["WWW-Authenticate"] == INVALID


@pytest.fixture(scope="module")
def hostile_by_name() -> dict[str, HostileToken]:
    return {hostile.name: hostile for hostile in hostile_tokens()}


@pytest.mark.parametrize("name", [hostile.name for hostile in hostile_tokens()])
def test_hostile_token_is_refused(
    nobody: Caller, hostile_by_name: dict[str, HostileToken], name: str
) -> None:
    hostile = hostile_by_name[name]
    header = f"Bearer {hostile.token}".encode("utf-8", "surrogatepass").decode("latin-1")

    answer = nobody.get("/open/", Authorization=header)

    body = problem(answer, 401, "invalid_token")
    assert answer["WWW-Authenticate"] == INVALID
    assert len(hostile.token) < 9 or hostile.token not in answer.content.decode()
    assert body["detail"] in {
        "The access token is not valid.",
        "The access token has expired.",
        "The Authorization header holds no bearer token.",
    }


@pytest.mark.parametrize("name", [name for name, _ in hostile_headers()])
def test_hostile_header_is_refused(nobody: Caller, name: str) -> None:
    answer = nobody.get("/open/", Authorization=dict(hostile_headers())[name])

    problem(answer, 401, "invalid_token")
    assert answer["WWW-Authenticate"] == INVALID


@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_threat_catalogue_is_refused(nobody: Caller, row: str) -> None:
    values = authorizations(row)

    for name, value in values.items():
        header = value.encode("utf-8", "surrogatepass").decode("latin-1")
        answer = nobody.get("/open/", Authorization=header)
        assert answer.status_code == 401, name
        problem(answer, 401, "invalid_token")
    assert values


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_scheme_is_read_in_any_case(nobody: Caller, scheme: str) -> None:
    subject = uuid7()

    answer = nobody.get("/private/", Authorization=f"{scheme} {make_token(subject)}")

    assert decoded(answer)["id"] == str(subject)


def test_expired_token_is_said_to_be(nobody: Caller) -> None:
    now = int(time.time())
    token = make_token(iat=now - 600, nbf=now - 600, exp=now - 300)

    answer = nobody.get("/private/", Authorization=f"Bearer {token}")

    assert problem(answer, 401, "invalid_token")["detail"] == "The access token has expired."


@pytest.mark.parametrize("place", ["?access_token={}", "?token={}", "?bearer_token={}"])
def test_token_in_the_address_is_not_read(nobody: Caller, place: str) -> None:
    answer = nobody.get("/private/" + place.format(make_token()))

    problem(answer, 401, "not_authenticated")


def test_token_in_a_cookie_or_body_is_not_read(nobody: Caller) -> None:
    token = make_token(roles=("staff",))

    answer = nobody.post(
        "/staff-writes/", {"access_token": token}, Cookie=f"access={token}; Authorization={token}"
    )

    problem(answer, 401, "not_authenticated")


@pytest.mark.parametrize(
    "name", ["X-User-Id", "X-User-Role", "X-Authenticated", "Remote-User", "X-Forwarded-User"]
)
def test_caller_cannot_be_named_by_another_header(nobody: Caller, name: str) -> None:
    problem(nobody.get("/private/", **{name: str(uuid7())}), 401, "not_authenticated")


def test_ended_session_is_refused(nobody: Caller) -> None:
    session, subject = uuid7(), uuid7()
    authorization = f"Bearer {make_token(subject, sid=str(session))}"
    assert nobody.get("/private/", Authorization=authorization).status_code == 200

    revocations.revoke(session, subject, timezone.now())

    answer = nobody.get("/private/", Authorization=authorization)
    assert problem(answer, 401, "invalid_token")["detail"] == "The session has ended."
    assert answer["WWW-Authenticate"] == INVALID
    problem(nobody.get("/open/", Authorization=authorization), 401, "invalid_token")


def no_keys() -> dict[str, Any]:
    return {"keys": []}


@EVERY_VIEW
def test_token_waits_when_it_cannot_be_judged(nobody: Caller, set_kit: SetKit, path: str) -> None:
    """A 401 would send every customer to the login page because users was away for a moment."""
    set_kit(token_keys=f"{__name__}.no_keys")
    jwks.forget()

    answer = nobody.get(path, Authorization=f"Bearer {make_token()}")

    problem(answer, 503, "keys_unavailable")
    assert int(answer["Retry-After"]) > 0


def test_refusal_comes_before_the_parameters_and_the_body(nobody: Caller) -> None:
    """Whoever is not let in learns nothing about what would be read."""
    answer = nobody.call("POST", "/place/one/?x=1", raw=b"{", content_type="text/plain")

    problem(answer, 401, "not_authenticated")
    assert json.loads(answer.content).get("errors") is None
