"""Fetching keys is never in a request's way."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from servicekit.auth import jwks, tokens
from servicekit.auth.jwks import KeySet
from servicekit.testing.waiting import wait_until
from tests.auth.key_server import (
    FIRST,
    SECOND,
    Clock,
    KeyServer,
    answering,
    body_of,
    idle,
    is_first,
)


def test_slow_server_holds_up_no_known_key(keys: KeySet, server: KeyServer, clock: Clock) -> None:
    keys.find("first")
    clock.pass_time(jwks.REFRESH_SECONDS + 1)

    with server.held_back():
        started = time.monotonic()
        keys.refresh_if_old()
        wait_until(lambda: server.asked == 2)
        for _ in range(100):
            keys.refresh_if_old()
            keys.find("first")
        seconds = time.monotonic() - started
        still_asking = not idle(keys)

    assert still_asking
    assert seconds < 1
    wait_until(lambda: idle(keys))


def test_slow_server_holds_up_no_good_token(
    from_settings: Any, server: KeyServer, clock: Clock
) -> None:
    old, new = FIRST.token(), [FIRST.token() for _ in range(20)]
    tokens.verified(old)
    clock.pass_time(jwks.REFRESH_SECONDS + 1)

    with server.held_back():
        started = time.monotonic()
        for token in [old, *new]:
            tokens.verified(token)
        seconds = time.monotonic() - started
        wait_until(lambda: server.asked == 2)

    assert seconds < 1


def test_withdrawn_key_is_refused_by_a_process_that_was_idle(
    from_settings: Any, server: KeyServer, clock: Clock
) -> None:
    token = FIRST.token()
    tokens.verified(token)
    server.answer = answering(body_of(SECOND))
    clock.pass_time(jwks.TOO_OLD_SECONDS)

    with pytest.raises(tokens.InvalidToken) as refusal:
        tokens.verified(token)

    assert refusal.value.code == "key"
    assert server.asked == 2


def test_too_old_set_is_used_by_nobody_while_a_newer_one_is_fetched(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    keys.find("first")
    server.answer = answering(body_of(SECOND))
    clock.pass_time(jwks.TOO_OLD_SECONDS)
    found: list[Any] = []

    def look() -> None:
        keys.refresh_if_old()
        found.append(keys.keys.get("first"))

    with server.held_back():
        threads = [threading.Thread(target=look) for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.asked == 2)
    for thread in threads:
        thread.join(10)

    assert found == [None] * 5
    assert server.asked == 2


def test_kept_keys_are_not_used_before_the_server_was_asked(
    server: KeyServer, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(body_of(FIRST))
    server.answer = answering(body_of(SECOND))
    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    keys.refresh_if_old()

    assert set(keys.keys) == {"second"}


def test_unknown_key_waits_only_a_little_for_another_thread(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    keys.find("first")
    clock.pass_time(jwks.REFRESH_SECONDS + 1)

    with server.held_back():
        keys.refresh_if_old()
        wait_until(lambda: server.asked == 2)
        started = time.monotonic()
        found = keys.find("unknown")
        seconds = time.monotonic() - started

    assert found is None
    assert seconds < jwks.CONNECT_SECONDS + 0.5


def test_threads_that_start_together_fetch_once(keys: KeySet, server: KeyServer) -> None:
    found: list[Any] = []

    with server.held_back():
        threads = [
            threading.Thread(target=lambda: found.append(keys.find("first"))) for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.asked == 1)
    for thread in threads:
        thread.join(10)

    assert [is_first(key) for key in found] == [True] * 10
    assert server.asked == 1
