"""Headers in odd form: refused where they would mean something, passed over where nothing depends
on them.
"""

import pytest
from harness.client import assert_problem, parse, send_raw
from harness.nginx import Gateway, Services

from servicekit.testing.tokens import Signer

READ = [
    "Accept", "Accept-Language", "Authorization", "Content-Type", "Idempotency-Key", "If-Match",
    "If-None-Match",
    "If-Modified-Since", "Prefer", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
]  # fmt: skip


def send(gateway: Gateway, request_line: str, *lines: str) -> bytes:
    head = "\r\n".join(
        [f"{request_line} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""]
    )
    return send_raw(gateway.port, head.encode("latin-1"))


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("byte", ["\x01", "\x08", "\x1b", "\x7f"])
def test_control_byte_in_a_header_that_is_passed_on_is_400(
    gateway: Gateway, services: Services, name: str, byte: str
) -> None:
    answered = parse(send(gateway, "GET /api/products/", f"{name}: a{byte}b"))

    assert_problem(answered, 400, "bad_request")
    assert services.seen() == 0


@pytest.mark.parametrize("agent", ["a\x01b", "\x7f", "\x1b[31m"])
def test_control_byte_in_the_agent_breaks_nothing(
    gateway: Gateway, services: Services, agent: str
) -> None:
    answered = parse(send(gateway, "GET /api/products/", f"User-Agent: {agent}"))

    assert answered.status == 200
    assert services.products.seen[-1].header("User-Agent") is None


BAD_TYPES = [
    "a; x*=b''c", "application/json; x*=b''c", "application/json; x*0*=b''c", "json", "/", "a/",
    "/b", "a/b/c", "a b/c", "a/b c",
    "a/b;c", "a/b; c=", "a/b; =c", 'a/b; c="', 'a/b; c="d', "a/b, a/c", "a/b; c = d", "a/(b)",
    "a/b\xe9",
    "a/b" + "; " * 3000 + "=",
]  # fmt: skip


@pytest.mark.parametrize("media_type", BAD_TYPES, ids=lambda text: text[:20])
def test_media_type_that_is_none_is_400(
    gateway: Gateway, services: Services, media_type: str
) -> None:
    answered = parse(
        send(gateway, "POST /api/auth/token/", f"Content-Type: {media_type}", "Content-Length: 0")
    )

    assert_problem(answered, 400, "bad_request")
    assert services.seen() == 0


GOOD_TYPES = [
    "application/json", "application/json;charset=utf-8", 'application/json ; charset="utf-8"',
    "application/json; charset=utf-8; a=b ;",
    "application/vnd.souk+json", "text/plain; q='*'", r'multipart/form-data; boundary="a \" b"',
    "a/b\t;\tc=d",
]  # fmt: skip


@pytest.mark.parametrize("media_type", GOOD_TYPES)
def test_media_type_in_sound_form_is_passed_on(
    gateway: Gateway, services: Services, media_type: str
) -> None:
    answered = parse(
        send(gateway, "POST /api/auth/token/", f"Content-Type: {media_type}", "Content-Length: 0")
    )

    assert answered.status == 200
    assert services.users.seen[-1].header("Content-Type") == media_type


ONCE = ["Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"]
TWICE = [["{}: a/b", "{}: a/b"], ["{}: a/b", "{}: a/c"], ["{}: a/b", "{}:"]]
EMPTY = [["{}:"], ["{}: \t "]]


@pytest.mark.parametrize(
    ("name", "lines"),
    [(name, lines) for name in ONCE for lines in TWICE]
    + [(name, lines) for name in ONCE[1:] for lines in EMPTY],
)
def test_write_with_a_header_that_is_empty_or_there_twice_is_400(
    gateway: Gateway, services: Services, signer: Signer, name: str, lines: list[str]
) -> None:
    told = [line.format(name) for line in lines]
    credentials = f"Authorization: Bearer {signer.token()}"

    answered = parse(send(gateway, "POST /api/orders/", credentials, "Content-Length: 0", *told))

    assert_problem(answered, 400, "bad_request")
    assert services.seen() == 0


def test_empty_media_type_is_as_good_as_none(gateway: Gateway, services: Services) -> None:
    answered = parse(send(gateway, "POST /api/auth/token/", "Content-Type:", "Content-Length: 0"))

    assert answered.status == 200
    assert services.users.seen[-1].header("Content-Type") is None


def test_longest_line_and_header_reach_the_service(gateway: Gateway, services: Services) -> None:
    target, etag = "/api/products/?q=" + "a" * 7900, '"' + "b" * 7900 + '"'

    answered = parse(send(gateway, f"GET {target}", f"If-None-Match: {etag}"))

    assert answered.status == 200
    assert (
        services.products.seen[-1].path,
        services.products.seen[-1].header("If-None-Match"),
    ) == (
        target,
        etag,
    )


def test_line_or_header_that_gunicorn_would_refuse_is_refused_first(gateway: Gateway) -> None:
    assert_problem(parse(send(gateway, "GET /api/products/?q=" + "a" * 8100)), 414, "uri_too_long")
    assert_problem(
        parse(send(gateway, "GET /api/products/", "If-Match: " + "a" * 8100)),
        431,
        "headers_too_large",
    )
