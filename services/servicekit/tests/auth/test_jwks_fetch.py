"""A fetch is bounded in time and size, and goes nowhere else."""

import time

import pytest

from servicekit.auth import jwks
from servicekit.auth.jwks import UnusableKeySet
from tests.auth.key_server import (
    FIRST,
    KeyServer,
    answering,
    body_of,
    until_closed,
)


def test_silent_server_is_given_up_in_time(server: KeyServer) -> None:
    with server.held_back():
        started = time.monotonic()
        with pytest.raises(jwks.requests.RequestException):
            jwks.fetch_over_http(server.url)

    assert time.monotonic() - started < jwks.READ_SECONDS + 1


def test_trickling_server_is_given_up_in_time(server: KeyServer) -> None:
    """Each byte comes in time; all of them would take a day."""
    server.answer = until_closed(b" ", 0.05)
    started = time.monotonic()

    with pytest.raises(jwks.requests.RequestException):
        jwks.fetch_over_http(server.url)

    assert time.monotonic() - started < jwks.CONNECT_SECONDS + jwks.READ_SECONDS + 1


def test_body_of_the_largest_size_is_read(server: KeyServer) -> None:
    server.answer = answering(b"x" * jwks.MAX_BODY_BYTES)

    assert len(jwks.fetch_over_http(server.url)) == jwks.MAX_BODY_BYTES


@pytest.mark.parametrize("size", [jwks.MAX_BODY_BYTES + 1, 10 * jwks.MAX_BODY_BYTES])
def test_larger_body_is_refused(server: KeyServer, size: int) -> None:
    server.answer = answering(b"x" * size)

    with pytest.raises(UnusableKeySet):
        jwks.fetch_over_http(server.url)


def test_redirect_is_not_followed(server: KeyServer) -> None:
    server.answer = answering(b"", 302, Location=server.url)

    with pytest.raises(jwks.requests.RequestException):
        jwks.fetch_over_http(server.url)

    assert server.asked == 1


def test_proxy_of_the_environment_is_not_used(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")

    assert jwks.fetch_over_http(server.url) == body_of(FIRST)
