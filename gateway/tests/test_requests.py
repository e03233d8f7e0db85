"""What reaches a service, and what comes back from it."""

import gzip
import json

import pytest
from harness.client import assert_problem, parse, send_raw
from harness.nginx import Gateway, Services
from harness.upstream import PROBLEM, Answer

from servicekit.testing.tokens import Signer

# Everything a service may ever be told; a new header is a decision (proxy.conf).
FORWARDED = {
    "host", "authorization", "accept", "accept-language", "content-type", "content-length",
    "idempotency-key", "if-match",
    "if-none-match", "if-modified-since", "prefer", "user-agent", "x-request-id", "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-proto", "traceparent", "sec-websocket-key", "sec-websocket-version",
    "sec-websocket-protocol", "x-waits-elsewhere",
}  # fmt: skip
FORGED = {
    "X-User-Id": "1", "X-User-Role": "admin", "X-User-Email": "a@b", "x-user-roles": "staff",
    "X-Authenticated": "yes",
    "X-Internal-Secret": "1", "X_User_Id": "1", "X-USER-ID": "2", "Forwarded": "for=9.9.9.9",
    "X-Original-URL": "/admin/",
    "X-Rewrite-URL": "/admin/", "X-HTTP-Method-Override": "DELETE",
    "X-Forwarded-Host": "evil.example", "X-Forwarded-User": "a",
    "X-Accel-Redirect": "/__auth", "Remote-User": "admin", "Cookie": "sessionid=1",
    "X-Waits-Elsewhere": "here", "X-Token-Fault": "", "Range": "bytes=0-1",
    "X-Forwarded-For": "9.9.9.9", "X-Real-IP": "9.9.9.9", "X-Forwarded-Proto": "https",
    "True-Client-IP": "9.9.9.9",
}  # fmt: skip


@pytest.mark.parametrize("with_token", [True, False])
def test_identity_headers_do_not_reach_a_service(
    gateway: Gateway, services: Services, signer: Signer, with_token: bool
) -> None:
    credentials = {"Authorization": f"Bearer {signer.token()}"} if with_token else {}

    gateway.request("GET", "/api/products/", FORGED | credentials)

    seen = services.products.seen[-1]
    assert {name.lower() for name, _ in seen.headers} <= FORWARDED
    assert "9.9.9.9" not in str(seen.headers)
    assert (seen.header("X-Real-IP"), seen.header("X-Forwarded-For")) == ("127.0.0.1", "127.0.0.1")
    assert (seen.header("X-Forwarded-Proto"), seen.header("Authorization")) == (
        "http",
        credentials.get("Authorization"),
    )


CART_COOKIE = "souk_cart=IjAxOTAi:1vNqXt:h-Ga_s1z"


@pytest.mark.parametrize(
    ("path", "sent", "heard"),
    [
        ("/api/cart/", CART_COOKIE, CART_COOKIE),
        ("/api/cart/lines/", f"a=b; {CART_COOKIE}; sessionid=1", CART_COOKIE),
        ("/api/cart/", f"xsouk_cart=a; {CART_COOKIE}", CART_COOKIE),
        ("/api/cart/", "xsouk_cart=a; sessionid=1", None),
        ("/api/cart/", "souk_cart=a b", None),
        ("/api/cart/", f"souk_cart={'x' * 201}", None),
        ("/api/orders/", CART_COOKIE, None),
        ("/api/products/", CART_COOKIE, None),
    ],
)
def test_cookie_of_a_cart_reaches_the_cart_alone(
    gateway: Gateway, services: Services, signer: Signer, path: str, sent: str, heard: str | None
) -> None:
    headers = {"Cookie": sent, "Authorization": f"Bearer {signer.token()}"}

    gateway.request("POST" if "lines" in path else "GET", path, headers)

    service = services.products if "products" in path else services.orders
    assert service.seen[-1].header("Cookie") == heard


def test_headers_named_by_connection_are_not_dropped(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    token = signer.token()
    headers = {
        "Authorization": f"Bearer {token}",
        "Connection": "close, Authorization, X-Request-ID, X-User-Id",
        "X-User-Id": "1",
    }

    gateway.request("GET", "/api/orders/", headers)

    seen = services.orders.seen[-1]
    assert seen.header("Authorization") == f"Bearer {token}"
    assert seen.header("X-User-Id") is None


def test_useful_headers_reach_the_service(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    headers = {
        "Authorization": f"Bearer {signer.token()}", "Idempotency-Key": "k-1", "Prefer": "wait=5",
        "If-Match": '"3"',
        "Content-Type": "application/json", "Accept-Language": "ar", "Accept": "application/json",
        "User-Agent": "t",
        "traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        "X-Request-ID": "mine-1",
    }  # fmt: skip

    gateway.request("POST", "/api/orders/", headers, b'{"lines": []}')

    seen = services.orders.seen[-1]
    assert {name: seen.header(name) for name in headers} == headers
    assert seen.body == b'{"lines": []}'
    assert seen.header("Host") == f"127.0.0.1:{gateway.port}"


def test_path_and_query_arrive_as_they_were_sent(gateway: Gateway, services: Services) -> None:
    gateway.get("/api/products/?search=caf%C3%A9%20%26%2F&min_price=1&_method=DELETE")

    seen = services.products.seen[-1]
    assert (seen.method, seen.path) == (
        "GET",
        "/api/products/?search=caf%C3%A9%20%26%2F&min_price=1&_method=DELETE",
    )


def test_chunked_body_arrives_whole(gateway: Gateway, services: Services, signer: Signer) -> None:
    head = (
        "POST /api/orders/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding:"
        " chunked\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {signer.token()}\r\n\r\n"
    )
    chunks = '5\r\n{"a":\r\n3\r\n 1}\r\n0\r\nX-User-Id: 1\r\n\r\n'

    answered = parse(send_raw(gateway.port, (head + chunks).encode()))

    assert answered.status == 200
    assert services.orders.seen[-1].body == b'{"a": 1}'
    assert services.orders.seen[-1].header("X-User-Id") is None


def test_largest_body_passes_and_one_more_byte_does_not(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}", "Content-Type": "application/json"}

    assert gateway.request("POST", "/api/orders/", headers, b" " * (128 << 10)).status == 200
    assert len(services.orders.seen[-1].body) == 128 << 10
    assert_problem(gateway.request("POST", "/api/orders/", headers, b" " * ((128 << 10) + 1)), 413)


def test_encoded_body_is_415(gateway: Gateway, services: Services, signer: Signer) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}", "Content-Encoding": "gzip"}

    assert_problem(gateway.request("POST", "/api/orders/", headers, gzip.compress(b"{}")), 415)
    assert services.orders.seen == []


@pytest.mark.parametrize("sent", ["a-B_9.x", "x" * 64])
def test_request_id_of_the_client_is_kept(gateway: Gateway, services: Services, sent: str) -> None:
    answered = gateway.request("GET", "/api/products/", {"X-Request-ID": sent})

    assert answered.headers.get_all("X-Request-ID") == [sent]
    assert services.products.seen[-1].header("X-Request-ID") == sent


@pytest.mark.parametrize(
    "sent", ["", "x" * 65, "<script>", "a b", 'a"b', "é", "x" * 6000, "${jndi:ldap://x}"]
)
def test_request_id_with_anything_odd_is_replaced(
    gateway: Gateway, services: Services, sent: str
) -> None:
    answered = gateway.request(
        "GET", "/api/products/", {"X-Request-ID": sent.encode().decode("latin-1")}
    )

    own = answered.headers["X-Request-ID"]
    assert len(own) == 32
    assert services.products.seen[-1].header("X-Request-ID") == own


def test_bad_traceparent_is_replaced_by_one_of_ours(gateway: Gateway, services: Services) -> None:
    answered = gateway.request("GET", "/api/products/", {"traceparent": "00-zz-1-01"})

    version, trace, span, flags = (services.products.seen[-1].header("traceparent") or "").split(
        "-"
    )
    assert (version, trace, len(span), flags) == ("00", answered.headers["X-Request-ID"], 16, "01")


def test_errors_of_a_service_pass_as_they_are(own_gateway, own_services: Services) -> None:  # type: ignore[no-untyped-def]
    problem = json.dumps({"status": 503, "code": "mine"}).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Retry-After": "7",
        "X-Request-ID": "theirs",
    }
    own_services.products.answers["/api/products/"] = Answer(503, problem, headers)

    answered = own_gateway().get("/api/products/")

    assert (answered.status, answered.body, answered.headers.get_all("Retry-After")) == (
        503,
        problem,
        ["7"],
    )
    assert len(answered.headers.get_all("X-Request-ID")) == 1
    assert answered.headers["X-Request-ID"] != "theirs"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 422, 429, 500])
def test_status_of_a_service_passes_unchanged(
    own_gateway, own_services: Services, status: int
) -> None:  # type: ignore[no-untyped-def]
    own_services.products.answers["/api/products/"] = Answer(status, b'{"code": "mine"}', PROBLEM)

    answered = own_gateway().get("/api/products/")

    assert (answered.status, answered.json) == (status, {"code": "mine"})


def test_location_passes_unchanged(own_gateway, own_services: Services, signer: Signer) -> None:  # type: ignore[no-untyped-def]
    own_services.orders.answers["/api/orders/"] = Answer(
        201, b"{}", {"Location": "/api/orders/7/", "Content-Type": "application/json"}
    )

    answered = own_gateway().request(
        "POST", "/api/orders/", {"Authorization": f"Bearer {signer.token()}"}, b"{}"
    )

    assert (answered.status, answered.headers["Location"]) == (201, "/api/orders/7/")


def test_internal_redirect_by_a_service_is_not_obeyed(own_gateway, own_services: Services) -> None:  # type: ignore[no-untyped-def]
    own_services.products.answers["/api/products/"] = Answer(
        200, b'{"a": 1}', {"X-Accel-Redirect": "/__problem"}
    )

    assert own_gateway().get("/api/products/").json == {"a": 1}


@pytest.mark.parametrize("path", ["/api/products/", "/api/nothing/", "/healthz"])
def test_security_headers_are_on_every_answer(gateway: Gateway, path: str) -> None:
    answered = gateway.get(path)

    assert answered.headers["X-Content-Type-Options"] == "nosniff"
    assert answered.headers["X-Frame-Options"] == "DENY"
    assert answered.headers["Referrer-Policy"] == "no-referrer"
    assert answered.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answered.headers["Cache-Control"] == "no-store"
    assert answered.headers["Server"] == "nginx"


def test_headers_a_service_decides_are_not_doubled(own_gateway, own_services: Services) -> None:  # type: ignore[no-untyped-def]
    theirs = {
        "Content-Type": "text/html", "Content-Security-Policy": "default-src 'self'",
        "Cache-Control": "max-age=60",
        "X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }  # fmt: skip
    own_services.products.answers["/api/products/"] = Answer(200, b"<p>", theirs)

    answered = own_gateway().get("/api/products/")

    assert answered.headers.get_all("Content-Security-Policy") == ["default-src 'self'"]
    assert answered.headers.get_all("Cache-Control") == ["max-age=60"]
    assert answered.headers.get_all("X-Frame-Options") == ["DENY"]
    assert answered.headers.get_all("X-Content-Type-Options") == ["nosniff"]


def test_long_json_is_packed_for_who_can_unpack_it(own_gateway, own_services: Services) -> None:  # type: ignore[no-untyped-def]
    body = json.dumps({"results": ["x" * 100] * 40}).encode()
    own_services.products.answers["/api/products/"] = Answer(200, body)
    gateway = own_gateway()

    packed = gateway.request("GET", "/api/products/", {"Accept-Encoding": "gzip"})
    plain = gateway.request("GET", "/api/products/", {"Accept-Encoding": "identity"})

    assert (packed.headers["Content-Encoding"], gzip.decompress(packed.body)) == ("gzip", body)
    assert (plain.headers["Content-Encoding"], plain.body) == (None, body)
    assert "Accept-Encoding" in plain.headers["Vary"]
