"""Requests made to confuse: odd paths, odd hosts, broken framing.

None may pass, none may be a 500, all are problems.
"""

import pytest
from harness.client import assert_problem, parse, send_raw
from harness.nginx import Gateway, Services

from servicekit.testing.tokens import Signer

PLAIN_HEAD = "Host: localhost\r\nConnection: close\r\n"

BAD_PATHS = [
    "//api//orders/", "/api//orders/", "/./api/orders/", "/api/./orders/", "/api/../admin/",
    "/api/orders/..", "/api/orders/.",
    "/api/products/../orders/", "/api/%2e%2e/admin/", "/api/..%2fadmin/", "/api/%2e/orders/",
    "/api/orders%2f", "/api%5corders/",
    "/api\\orders/", "/api/%252e%252e/", "/api/orders;x=1/", "/api/orders/;x=y", "/api/orders/%00",
    "/api/orders/%0d%0aX:1/",
    "/api/%c0%ae%c0%ae/", "/api/%c0%af/", "/api/\xc3\xa9/", "/api/\xff/", "/api/%70roducts/",
    "/api/products/%", "/api/products/#x",
    "/api/products/<x>/", '/api/products/"/', "/api/products/{}/", "/api/products/|",
    "/%61pi/products/", "/healthz//", "//healthz",
    "/ws/../api/orders/", "/__problem/../api/orders/", "/.well-known/../api/orders/",
    "/api/products/*", "/api/products/?a=\xc3\xa9",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS)
def test_path_not_in_plain_form_is_400(
    gateway: Gateway, services: Services, signer: Signer, path: str
) -> None:
    for credentials in ("", f"Authorization: Bearer {signer.token()}\r\n"):
        request = f"GET {path} HTTP/1.1\r\n{PLAIN_HEAD}{credentials}\r\n"

        assert_problem(parse(send_raw(gateway.port, request.encode("latin-1"))), 400)

    assert services.seen() == 0


INSIDE = [
    "/metrics", "/metrics/", "/METRICS", "//metrics", "/./metrics", "/api/../metrics", "/%6detrics",
    "/metrics%2f", "/metrics;a",
    "/metrics?x", "/api/metrics", "/api/orders/../../metrics", "/keys/current",
    "/verify", "/__auth", "/__problem",
]  # fmt: skip


@pytest.mark.parametrize("path", INSIDE)
def test_inside_paths_are_not_reached(gateway: Gateway, services: Services, path: str) -> None:
    answered = parse(send_raw(gateway.port, f"GET {path} HTTP/1.1\r\n{PLAIN_HEAD}\r\n".encode()))

    assert answered.status in {400, 404}
    assert_problem(answered, answered.status)
    assert services.seen() == 0


HOSTS = [
    ("Host: evil.example", 421),
    ("Host: localhost.evil.example", 421),
    ("Host: ", 400),
    ("", 400),
    ("Host: localhost\r\nHost: localhost", 400),
    ("Host: localhost\r\nHost: evil.example", 400),
    ("Host: local host", 400),
    ("Host: localhost:80", 200),
    ("Host: localhost.", 200),
    ("Host: LOCALHOST:1", 200),
    ("Host: 127.0.0.1", 200),
    ("Host: [::1]", 421),
]


@pytest.mark.parametrize(("line", "status"), HOSTS)
def test_host_is_ours_or_refused(
    gateway: Gateway, services: Services, line: str, status: int
) -> None:
    head = f"{line}\r\n" if line else ""

    answered = parse(
        send_raw(
            gateway.port, f"GET /api/products/ HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode()
        )
    )

    assert answered.status == status
    if status == 200:
        assert services.products.seen[-1].header("Host").split(":")[0] in {"localhost", "127.0.0.1"}
    else:
        assert_problem(answered, status)
        assert services.seen() == 0


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example/api/products/", 421),
        ("http://localhost/api/products/", 200),
        ("http://localhost//api/", 400),
    ],
)
def test_absolute_target_is_judged_by_its_own_host(
    gateway: Gateway, services: Services, target: str, status: int
) -> None:
    answered = parse(send_raw(gateway.port, f"GET {target} HTTP/1.1\r\n{PLAIN_HEAD}\r\n".encode()))

    assert answered.status == status
    if status == 200:
        assert (services.products.seen[-1].path, services.products.seen[-1].header("Host")) == (
            "/api/products/",
            "localhost",
        )


POST = f"POST /api/auth/token/ HTTP/1.1\r\n{PLAIN_HEAD}"
GET = f"GET /api/products/ HTTP/1.1\r\n{PLAIN_HEAD}"
BROKEN = {
    "length and chunked": (
        POST + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "two lengths": (POST + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", {400}),
    "two equal lengths": (POST + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", {400}),
    "negative length": (POST + "Content-Length: -1\r\n\r\n", {400}),
    "signed length": (POST + "Content-Length: +3\r\n\r\nabc", {400}),
    "hex length": (POST + "Content-Length: 0x3\r\n\r\nabc", {400}),
    "length list": (POST + "Content-Length: 3, 3\r\n\r\nabc", {400}),
    "huge length": (POST + "Content-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    "two codings": (
        POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "coding list": (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400}),
    "xchunked": (POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400}),
    "tab in coding": (POST + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", {400}),
    "chunk size overflow": (
        POST + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        {400, 413},
    ),
    "chunk size letters": (POST + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", {400}),
    "chunked too large": (
        POST + "Transfer-Encoding: chunked\r\n\r\n" + f"40000\r\n{' ' * 0x40000}\r\n" * 5,
        {413},
    ),
    "space before colon": (GET + "X-A : 1\r\n\r\n", {400}),
    "folded header": (GET + "X-A: 1\r\n  2\r\n\r\n", {400}),
    "NUL in value": (GET + "X-A: 1\0\r\n\r\n", {400}),
    "CR in value": (GET + "X-A: 1\rX-B: 2\r\n\r\n", {400}),
    "empty name": (GET + ": 1\r\n\r\n", {400}),
    "lower-case method": (f"get /api/products/ HTTP/1.1\r\n{PLAIN_HEAD}\r\n", {400, 405}),
    "CONNECT": (f"CONNECT localhost:80 HTTP/1.1\r\n{PLAIN_HEAD}\r\n", {400, 405}),
    "asterisk": (f"OPTIONS * HTTP/1.1\r\n{PLAIN_HEAD}\r\n", {400, 405}),
    "no path": (f"GET  HTTP/1.1\r\n{PLAIN_HEAD}\r\n", {400}),
    "two spaces in line": (f"GET /api/ products/ HTTP/1.1\r\n{PLAIN_HEAD}\r\n", {400}),
    "HTTP/2.0 text": (f"GET /api/products/ HTTP/2.0\r\n{PLAIN_HEAD}\r\n", {400}),
    "HTTP/3 text": (f"GET /api/products/ HTTP/3.7\r\n{PLAIN_HEAD}\r\n", {400}),
    "HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "bad version": (f"GET /api/products/ HTTP/x\r\n{PLAIN_HEAD}\r\n", {400}),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 40 + "\r\n\r\n", {400}),
    "long address": (f"GET /{'a' * 9000} HTTP/1.1\r\n{PLAIN_HEAD}\r\n", {414}),
    "long header": (GET + f"X-A: {'a' * 9000}\r\n\r\n", {431}),
    "many headers": (GET + "".join(f"X-{n}: {'a' * 200}\r\n" for n in range(200)) + "\r\n", {431}),
}


@pytest.mark.parametrize(("data", "statuses"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_request_is_refused_with_a_problem(
    gateway: Gateway, services: Services, data: str, statuses: set[int]
) -> None:
    answered = parse(send_raw(gateway.port, data.encode("latin-1")))

    assert answered.status in statuses
    assert_problem(answered, answered.status)
    assert services.seen() == 0


def test_http_09_gets_no_service(gateway: Gateway, services: Services) -> None:
    answered = send_raw(gateway.port, b"GET /api/products/\r\n\r\n")

    assert b'"status": 400' in answered
    assert services.seen() == 0


def test_bare_line_feeds_do_not_change_the_meaning(gateway: Gateway, services: Services) -> None:
    answered = parse(
        send_raw(gateway.port, b"GET /api/orders/ HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    )

    assert_problem(answered, 401)
    assert services.seen() == 0


def test_pipelined_requests_are_judged_separately(
    gateway: Gateway, services: Services, signer: Signer
) -> None:
    first = (
        "GET /api/orders/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer"
        f" {signer.token()}\r\n\r\n"
    )
    second = f"GET /api/orders/ HTTP/1.1\r\n{PLAIN_HEAD}\r\n"

    answered = send_raw(gateway.port, (first + second).encode())

    assert answered.count(b"HTTP/1.1 200 OK") == 1
    assert answered.count(b"HTTP/1.1 401 Unauthorized") == 1
    assert len(services.orders.seen) == 1


@pytest.mark.parametrize(
    "line",
    ["Range: bytes=0-0", "If-None-Match: nonsense", "Expect: nonsense", "Upgrade: h2c", "TE: x"],
)
def test_odd_but_harmless_header_is_ignored(gateway: Gateway, line: str) -> None:
    answered = parse(send_raw(gateway.port, f"{GET}{line}\r\n\r\n".encode()))

    assert answered.status == 200
