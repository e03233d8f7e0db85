"""A process has keys before anybody shows a token, and keeps them fresh while nobody does."""

from servicekit.auth import jwks
from servicekit.auth.jwks import KeySet
from tests.auth.key_server import (
    FIRST,
    SECOND,
    Clock,
    KeyServer,
    answering,
    body_of,
    is_first,
)


def test_set_is_had_before_anybody_asks(keys: KeySet, server: KeyServer) -> None:
    keys.refresh_unasked()
    server.stop()

    assert is_first(keys.find("first"))
    assert server.asked == 1


def test_server_that_is_away_at_first_is_asked_again_after_a_pause(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    server.answer = answering(b"", 503)
    for _ in range(5):
        keys.refresh_unasked()
    assert (server.asked, keys.keys) == (1, {})

    server.answer = answering(body_of(FIRST))
    clock.pass_time(jwks.NO_KEYS_PAUSE_SECONDS)
    keys.refresh_unasked()

    assert set(keys.keys) == {"first"}


def test_set_of_a_process_without_tokens_is_kept_fresh(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    """Else a set of before two rotations would be all it has when users goes away."""
    keys.refresh_unasked()
    server.answer = answering(body_of(SECOND))
    clock.pass_time(jwks.REFRESH_SECONDS - 1)
    keys.refresh_unasked()
    assert server.asked == 1

    clock.pass_time(1)
    keys.refresh_unasked()

    assert set(keys.keys) == {"second"}


def test_server_that_is_away_is_asked_once_in_a_pause(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    keys.refresh_unasked()
    server.answer = answering(b"", 503)

    for _ in range(int(3 * jwks.REFRESH_SECONDS)):
        clock.pass_time(1)
        keys.refresh_unasked()

    assert server.asked == 1 + 3
    assert set(keys.keys) == {"first"}
