"""Which tokens pass the edge, and what becomes of a verdict once it is given."""

import time
import uuid
from collections.abc import Callable

import pytest
from harness.client import assert_problem, parse, send_raw
from harness.nginx import Gateway, Services, wait_until

from servicekit.testing.hostile_tokens import hostile_headers, hostile_tokens
from servicekit.testing.token_rows import ROWS, authorizations
from servicekit.testing.tokens import Signer, client_claims, compact
from servicekit.testing.tokens import make_claims as claims

KEYS = "/.well-known/jwks.json"
StartGateway = Callable[..., Gateway]


def test_hostile_tokens_are_all_401_and_reach_nobody(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    values = [(hostile.name, f"Bearer {hostile.token}") for hostile in hostile_tokens(signer)]
    # What no header may hold, and what is longer than one may be, is refused before
    # (test_odd_headers, test_huge_token); blanks around a header's value are no part of it (RFC
    # 9110, 5.5).
    sent = [
        (name, value)
        for name, value in values + hostile_headers(signer)
        if value.isascii() and value.isprintable() and len(value) < 8000 and value == value.strip()
    ]
    assert len(sent) > 200
    wrong: list[str] = []
    for name, value in sent:
        answered = gateway.request("GET", "/api/orders/", {"Authorization": value})
        if answered.status != 401 or "Bearer" not in (answered.headers["WWW-Authenticate"] or ""):
            wrong.append(f"{name}: {answered.status}")
        else:
            assert_problem(answered, 401)

    assert wrong == [], "\n".join(wrong)
    assert services.seen() == len(services.users.requests_for(KEYS))


@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_threat_catalogue_is_refused(
    gateway: Gateway, services: Services, signer: Signer, row: str
) -> None:
    values = authorizations(row, signer)
    # A header's value has no blanks around it, and ends with its line (RFC 9110, 5.5).
    sent = {n: v for n, v in values.items() if v == v.strip() and "\n" not in v}
    request = "GET /api/orders/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

    for name, value in sent.items():
        header = f"Authorization: {value}".encode("utf-8", "surrogatepass")
        answered = parse(send_raw(gateway.port, request.encode() + header + b"\r\n\r\n"))
        # Too long for a header, or a control byte in one.
        odd = 431 if len(value) > 7900 else 400 if has_control_byte(value) else 401
        assert answered.status == odd, name
        assert_problem(answered, odd)

    assert sent
    assert services.seen() == len(services.users.requests_for(KEYS))


def has_control_byte(value: str) -> bool:
    return any(ord(each) < 0x20 and each != "\t" for each in value)


def test_key_id_and_address_of_a_header_are_neither_asked_nor_logged(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    services.products.seen.clear()
    url = f"http://{services.products.address}/keys.json"
    kid = "'; DROP TABLE keys; --"
    tokens = [signer.token({"jku": url}), signer.token({"x5u": url}), signer.token({"kid": kid})]

    answers = [gateway.get("/api/orders/", token) for token in tokens]

    assert [answer.status for answer in answers] == [401] * 3
    assert services.products.seen == []
    gateway.logged(answers[-1])
    logs = (gateway.directory / "access.log").read_text() + gateway.errors()
    assert [text for text in (url, kid, *tokens) if text in logs] == []


@pytest.mark.parametrize("size", [9_000, 64_000])
def test_huge_token_is_refused(gateway: Gateway, size: int) -> None:
    answered = gateway.request("GET", "/api/orders/", {"Authorization": "Bearer " + "a" * size})

    assert_problem(answered, 431)


@pytest.mark.parametrize("members", [65, 560])
def test_token_of_many_members_is_refused_before_users_is_asked(
    gateway: Gateway, services: Services, signer: Signer, members: int
) -> None:
    many = {f"m{number}": 1 for number in range(members)}

    in_payload = gateway.get("/api/orders/", Signer().token(**many))
    in_header = gateway.get("/api/orders/", Signer().token(many))
    signed = gateway.get("/api/orders/", signer.token(**many))

    for refused in (in_payload, in_header, signed):
        assert_problem(refused, 401, "invalid_token")
    assert services.seen() == 0


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString", "hasOwnProperty"])
def test_member_named_like_a_property_is_a_member(
    gateway: Gateway, signer: Signer, name: str
) -> None:
    whole = compact(claims(x=1)).replace(b'"x"', b'"%s"' % name.encode())
    doubled = whole[:-1] + b',"%s":1}' % name.encode()

    assert gateway.get("/api/orders/", signer.seal(compact(signer.header()), whole)).status == 200
    assert gateway.get("/api/orders/", signer.seal(compact(signer.header()), doubled)).status == 401


PROVEN_BY_THEIR_BODY = [
    "/api/auth/token/",
    "/api/auth/refresh/",
    "/api/auth/revoke/",
    "/api/users/",
]


@pytest.mark.parametrize("path", PROVEN_BY_THEIR_BODY)
@pytest.mark.parametrize("header", ["an expired token", "Basic Og==", "Bearer", "Bearer a.b.c"])
def test_old_token_stands_not_in_the_way_of_a_new_one(
    gateway: Gateway, services: Services, signer: Signer, path: str, header: str
) -> None:
    old = f"Bearer {signer.token(exp=int(time.time()) - 60, iat=int(time.time()) - 360)}"

    answered = gateway.request(
        "POST", path, {"Authorization": old if header == "an expired token" else header}, b"{}"
    )

    assert answered.status == 200
    assert services.users.requests_for(path)[-1].header("Authorization") is None


def test_old_token_is_refused_where_a_token_counts(gateway: Gateway, services: Services) -> None:
    for method, path in (
        ("GET", "/api/users/"),
        ("POST", "/api/users/me/password/"),
        ("GET", "/api/products/"),
    ):
        assert_problem(
            gateway.request(method, path, {"Authorization": "Bearer a.b.c"}), 401, "invalid_token"
        )
    assert services.seen() == 0


def test_secret_of_a_client_reaches_users_and_nobody_else(
    gateway: Gateway, services: Services
) -> None:
    header = {"Authorization": "Basic YWRhOnB3"}

    answered = gateway.request("POST", "/api/auth/oauth/token/", header)

    assert answered.status == 200
    (heard,) = services.users.requests_for("/api/auth/oauth/token/")
    assert heard.header("Authorization") == header["Authorization"]
    gateway.request("POST", "/api/auth/token/", header)
    (other,) = services.users.requests_for("/api/auth/token/")
    assert other.header("Authorization") is None
    for path in ("/api/auth/OAUTH/token/", "/api/auth/oauth/token/x/"):
        gateway.request("POST", path, header)
        assert services.users.requests_for(path)[-1].header("Authorization") is None
    refused = gateway.request("GET", "/api/users/", header)
    assert_problem(refused, 401, "invalid_token")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_scheme_is_accepted_in_any_case(gateway: Gateway, signer: Signer, scheme: str) -> None:
    answered = gateway.request(
        "GET", "/api/orders/", {"Authorization": f"{scheme} {signer.token()}"}
    )

    assert answered.status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", "souk"]},
        {"roles": []},
        {"roles": ["customer", "staff"]},
        {"is_staff": True, "permissions": ["*"], "x": 'é {"a": [1, {}]}'},
        {"email_verified": None},
        {"scope": "orders:read"},
        client_claims("orders:read", "stock:write", client_id=uuid.UUID(int=7 << 76 | 2 << 62)),
    ],
    ids=str,
)
def test_good_token_passes(gateway: Gateway, signer: Signer, changes: dict[str, object]) -> None:
    assert gateway.get("/api/orders/", signer.token(**changes)).status == 200


@pytest.mark.parametrize(("claim", "seconds"), [("exp", 1), ("exp", -2), ("iat", 3), ("nbf", 3)])
def test_clocks_may_differ_by_the_leeway(
    gateway: Gateway, signer: Signer, claim: str, seconds: int
) -> None:
    now = int(time.time())
    times = {"exp": now + 60, "iat": now - 60, "nbf": now - 60} | {claim: now + seconds}

    assert gateway.get("/api/orders/", signer.token(**times)).status == 200


def test_token_with_spaced_json_passes(gateway: Gateway, signer: Signer) -> None:
    spaced = compact(claims()).replace(b'":', b'" : ').replace(b',"', b',\n "')

    assert gateway.get("/api/orders/", signer.seal(compact(signer.header()), spaced)).status == 200


def test_two_authorization_headers_are_400(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    line = f"Authorization: Bearer {signer.token()}\r\n"
    request = (
        f"GET /api/orders/ HTTP/1.1\r\nHost: localhost\r\n{line}{line}Connection: close\r\n\r\n"
    )

    answered = parse(send_raw(gateway.port, request.encode()))

    assert_problem(answered, 400)
    assert services.seen() == 0


@pytest.mark.parametrize(
    "place", ["/api/orders/?access_token={}", "/api/products/?a=1&refresh_token={}"]
)
def test_token_in_query_is_401_and_in_no_log(
    gateway: Gateway, services: Services, signer: Signer, place: str
) -> None:
    token = signer.token()

    answered = gateway.get(place.format(token))

    assert_problem(answered, 401)
    assert services.seen() == 0
    gateway.logged(answered)
    assert token not in (gateway.directory / "access.log").read_text() + gateway.errors()


def test_token_in_cookie_is_no_token(gateway: Gateway, services: Services, signer: Signer) -> None:
    answered = gateway.request("GET", "/api/orders/", {"Cookie": f"access_token={signer.token()}"})

    assert_problem(answered, 401, "not_authenticated")
    assert services.seen() == 0


def verdicts(gateway: Gateway, token: str, number: int) -> list[str]:
    return [gateway.logged(gateway.get("/api/orders/", token))["verdict"] for _ in range(number)]


def test_verdict_is_given_once_and_kept(gateway: Gateway, signer: Signer) -> None:
    """Once a second the list of revoked sessions is looked at as well: AGAIN."""
    first, *others = verdicts(gateway, signer.token(), 6)

    assert first in {"MISS", "AGAIN"}
    assert "HIT" in others
    assert set(others) <= {"HIT", "AGAIN"}


def test_refusal_is_not_kept(gateway: Gateway, signer: Signer) -> None:
    assert set(verdicts(gateway, signer.token(iss="other"), 3)) <= {"MISS", "AGAIN"}


def test_kept_verdict_ends_with_its_token(gateway: Gateway, signer: Signer) -> None:
    expires_at = int(time.time()) - 2  # the leeway of 5 s keeps it good for about 3 s more
    token = signer.token(exp=expires_at, iat=expires_at - 300, nbf=expires_at - 300)
    assert gateway.get("/api/orders/", token).status == 200

    refused = wait_until(
        lambda: (answer := gateway.get("/api/orders/", token)).status == 401 and answer,
        "the token to expire",
    )

    assert_problem(refused, 401, "invalid_token")
    assert refused.json["detail"] == "The access token has expired."
    assert time.time() >= expires_at + 5
    assert gateway.get("/api/orders/", token).status == 401


def test_verdict_of_one_token_is_no_verdict_for_another(gateway: Gateway, signer: Signer) -> None:
    token = signer.token()
    assert gateway.get("/api/orders/", token).status == 200
    header, _, signature = token.split(".")
    _, payload, _ = signer.token(sub=str(uuid.uuid4())).split(".")

    assert gateway.get("/api/orders/", f"{header}.{payload}.{signature}").status == 401


@pytest.mark.parametrize("header", ["{}", "Basic {}", "Bearer{}", "Bearer  {}", "Bearer {}="])
def test_kept_verdict_is_for_bearer_tokens_only(
    gateway: Gateway, signer: Signer, header: str
) -> None:
    token = signer.token()
    assert gateway.get("/api/orders/", token).status == 200

    refused = gateway.request("GET", "/api/orders/", {"Authorization": header.format(token)})

    assert_problem(refused, 401, "invalid_token")


def test_no_token_is_written_to_disk(gateway: Gateway, signer: Signer) -> None:
    token = signer.token()
    assert gateway.get("/api/orders/", token).status == 200

    written = [
        path
        for path in gateway.directory.rglob("*")
        if path.is_file() and token.encode() in path.read_bytes()
    ]

    assert written == []


def test_token_keeps_passing_while_users_is_down(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()
    assert gateway.get("/api/orders/", signer.token()).status == 200
    own_services.users.stop()

    assert gateway.get("/api/orders/", signer.token()).status == 200
    assert gateway.get("/api/orders/", Signer().token()).status == 401
