"""Rates and numbers, on gateways with low limits."""

import contextlib
import socket
import uuid
from collections.abc import Callable
from itertools import product

import pytest
from harness.client import assert_problem
from harness.nginx import Gateway, Services

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
SLOW = "1r/m"  # so slow that no test run refills it


def test_address_over_its_rate_is_429(own_gateway: StartGateway, own_services: Services) -> None:
    gateway = own_gateway(LIMIT_API_RATE=SLOW, LIMIT_API_BURST="3")

    answers = [gateway.get("/api/products/") for _ in range(6)]

    assert [answer.status for answer in answers] == [200] * 4 + [429] * 2
    assert_problem(answers[-1], 429, "too_many_requests")
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert len(own_services.products.seen) == 4
    assert gateway.get("/healthz").status == 200


def test_forged_address_does_not_escape_the_rate(own_gateway: StartGateway) -> None:
    gateway = own_gateway(LIMIT_API_RATE=SLOW, LIMIT_API_BURST="1")
    forged = [
        {"X-Forwarded-For": f"9.9.9.{n}", "X-Real-IP": f"9.9.9.{n}", "Forwarded": f"for=9.9.9.{n}"}
        for n in range(4)
    ]

    statuses = [gateway.request("GET", "/api/products/", headers).status for headers in forged]

    assert statuses == [200, 200, 429, 429]


def test_log_in_has_a_rate_of_its_own(own_gateway: StartGateway) -> None:
    gateway = own_gateway(LIMIT_AUTH_RATE=SLOW, LIMIT_AUTH_BURST="1")

    statuses = [gateway.request("POST", "/api/auth/token/", {}, b"{}").status for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert gateway.request("POST", "/api/users/", {}, b"{}").status == 429
    assert gateway.request("POST", "/api/auth/second-factor/", {}, b"{}").status == 429
    assert gateway.request("POST", "/api/users/me/second-factor/confirm/").status == 429
    assert gateway.request("POST", "/api/users/me/passkeys/options/").status == 429
    assert gateway.get("/api/products/").status == 200


@pytest.mark.parametrize(
    "query",
    [
        "?search=thing",
        "?ordering=name&search=",
        "?page_size=50",
        "?x=1&page_size=100",
        "?page_size=0100",
        "facets/",
        "facets/?in_stock=true",
    ],
)
def test_searches_and_long_pages_have_a_rate_of_their_own(
    own_gateway: StartGateway, query: str
) -> None:
    gateway = own_gateway(LIMIT_SEARCH_RATE=SLOW, LIMIT_SEARCH_BURST="1")

    assert [gateway.get(f"/api/products/{query}").status for _ in range(3)] == [200, 200, 429]
    assert [gateway.get("/api/products/?page_size=49").status for _ in range(3)] == [200] * 3
    assert gateway.get("/api/products/").status == 200


def test_c23_who_tries_ids_is_stopped_by_the_rate(
    own_gateway: StartGateway, own_services: Services
) -> None:
    gateway = own_gateway(LIMIT_API_RATE=SLOW, LIMIT_API_BURST="20")

    answers = [gateway.get(f"/api/products/{uuid.uuid4()}/") for _ in range(1000)]

    assert [answer.status for answer in answers[21:]] == [429] * 979
    assert len(own_services.products.seen) == 21


def test_session_over_its_rate_leaves_other_sessions_alone(
    own_gateway: StartGateway, signer: Signer
) -> None:
    gateway = own_gateway(LIMIT_SESSION_RATE=SLOW, LIMIT_SESSION_BURST="1")
    mine, other = signer.token(), signer.token()

    assert [gateway.get("/api/orders/", mine).status for _ in range(3)] == [200, 200, 429]
    assert gateway.get("/api/orders/", other).status == 200
    assert gateway.get("/api/products/").status == 200


SPELLINGS = list(map("".join, product(*zip("bearer", "BEARER", strict=True))))


def test_session_is_counted_once_however_its_token_is_spelt(
    own_gateway: StartGateway, signer: Signer
) -> None:
    gateway = own_gateway(LIMIT_SESSION_RATE=SLOW, LIMIT_SESSION_BURST="1")
    token = signer.token()
    mirrored = signer.mirrored(token)

    spelt = [
        gateway.request("GET", "/api/orders/", {"Authorization": f"{scheme} {token}"})
        for scheme in SPELLINGS
    ]
    assert [answered.status for answered in spelt] == [200] * 2 + [429] * 62
    assert gateway.get("/api/orders/", mirrored).status == 429


def test_session_is_counted_once_whatever_its_token(
    own_gateway: StartGateway, signer: Signer
) -> None:
    gateway = own_gateway(LIMIT_SESSION_RATE=SLOW, LIMIT_SESSION_BURST="1")
    session = str(uuid.uuid4())

    renewed = [gateway.get("/api/orders/", signer.token(sid=session)).status for _ in range(4)]

    assert renewed == [200, 200, 429, 429]


def test_guesses_at_tokens_count_against_the_address(own_gateway: StartGateway) -> None:
    gateway = own_gateway(LIMIT_API_RATE=SLOW, LIMIT_API_BURST="2")

    assert [gateway.get("/api/orders/", f"a.b.{n}").status for n in range(5)] == [401] * 3 + [
        429
    ] * 2


def test_connections_at_once_are_limited(own_gateway: StartGateway) -> None:
    gateway = own_gateway(LIMIT_CONNECTIONS="2")
    unfinished = (
        b"POST /api/auth/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Length:"
        b" 10\r\nExpect: 100-continue\r\n\r\n"
    )
    held = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(2)]
    try:
        for connection in held:
            connection.sendall(unfinished)
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # read, judged, counted

        assert_problem(gateway.get("/.well-known/jwks.json"), 429)
    finally:
        for connection in held:
            connection.close()


def test_unfinished_bodies_hold_a_few_places_and_no_reader(own_gateway: StartGateway) -> None:
    gateway = own_gateway(LIMIT_BODIES="3")
    unfinished = b"POST /api/users/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
    with contextlib.ExitStack() as held:
        for _ in range(3):
            connection = held.enter_context(
                socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
            )
            connection.sendall(unfinished)

        answer = gateway.request("POST", "/api/users/", {}, b"{}")

        assert_problem(answer, 429)
        assert gateway.get("/api/products/").status == 200


def test_client_behind_a_trusted_proxy_is_counted_by_its_own_address(
    own_gateway: StartGateway, own_services: Services
) -> None:
    gateway = own_gateway(
        LIMIT_API_RATE=SLOW, LIMIT_API_BURST="1", TRUSTED_PROXIES="10.9.0.0/16,127.0.0.1"
    )

    def ask(forwarded: str) -> int:
        return gateway.request("GET", "/api/products/", {"X-Forwarded-For": forwarded}).status

    # What the client itself put there stands before what the proxies added.
    assert [ask("6.6.6.6, 192.0.2.1"), ask("7.7.7.7, 192.0.2.1, 10.9.1.1"), ask("192.0.2.1")] == [
        200,
        200,
        429,
    ]
    assert ask("192.0.2.2") == 200
    assert own_services.products.seen[0].header("X-Real-IP") == "192.0.2.1"


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::7", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8::1", "2001:db8:0:0:1::", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_network_of_one_subscriber_is_counted_once(
    own_gateway: StartGateway, first: str, second: str, is_same: bool
) -> None:
    gateway = own_gateway(LIMIT_API_RATE=SLOW, LIMIT_API_BURST="1", TRUSTED_PROXIES="127.0.0.1")

    def ask(address: str) -> int:
        return gateway.request("GET", "/api/products/", {"X-Forwarded-For": address}).status

    assert [ask(first), ask(first), ask(second)] == [200, 200, 429 if is_same else 200]
