"""A key server, a clock, and a key set that reads both."""

import time
from collections.abc import Callable, Iterator

import pytest

from servicekit.auth import jwks, tokens
from servicekit.auth.jwks import KeySet
from servicekit.testing.fixtures import SetKit
from tests.auth.key_server import Clock, KeyServer


@pytest.fixture
def server() -> Iterator[KeyServer]:
    server = KeyServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(time.monotonic)
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def keys(server: KeyServer, clock: Clock) -> KeySet:
    return KeySet(lambda: jwks.fetch_over_http(server.url), background=True)


@pytest.fixture
def from_settings(server: KeyServer, clock: Clock, set_kit: SetKit) -> Iterator[SetKit]:
    """This process's own set, as a service has it."""
    set_kit(token_keys="", jwks_url=server.url)
    jwks.forget()
    tokens.forget_verified()
    yield set_kit
    jwks.forget()
    tokens.forget_verified()


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set this machine's clock forward."""
    ahead, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward
