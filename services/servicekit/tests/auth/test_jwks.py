"""The key set against a real HTTP server: fetched once, and kept through every fault of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from servicekit.auth import jwks
from servicekit.auth.jwks import KeySet, KeysUnavailable, UnusableKeySet, read_keys
from servicekit.testing.fixtures import SetKit
from servicekit.testing.tokens import Signer, encode
from tests.auth.key_server import (
    FIRST,
    SECOND,
    Clock,
    KeyServer,
    answering,
    body_of,
    is_first,
    refresh,
    until_closed,
)


def test_keys_are_fetched_once(keys: KeySet, server: KeyServer) -> None:
    found = [keys.find("first") for _ in range(20)]
    refresh(keys)

    assert all(is_first(key) for key in found)
    assert server.asked == 1


def test_old_set_is_fetched_again_in_the_background(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    keys.find("first")
    server.answer = answering(body_of(FIRST, SECOND))
    clock.pass_time(jwks.REFRESH_SECONDS - 1)
    refresh(keys)
    assert server.asked == 1

    clock.pass_time(2)
    refresh(keys)

    assert server.asked == 2
    assert set(keys.keys) == {"first", "second"}


def test_generation_changes_with_the_keys_only(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    keys.find("first")
    before = keys.generation
    server.answer = answering(b" " + body_of(FIRST))
    clock.pass_time(jwks.REFRESH_SECONDS + 1)
    refresh(keys)
    same = keys.generation

    server.answer = answering(body_of(Signer("first")))
    clock.pass_time(jwks.REFRESH_SECONDS + 1)
    refresh(keys)

    assert before == same
    assert keys.generation > same


RUBBISH = {
    "nothing": b"",
    "HTML": b"<html>Bad gateway</html>",
    "not UTF-8": b"\xff\xfe\x00",
    "null": b"null",
    "array": b"[]",
    "number": b"7",
    "no keys": b"{}",
    "keys null": b'{"keys": null}',
    "keys a number": b'{"keys": 7}',
    "empty": b'{"keys": []}',
    "no objects": b'{"keys": [1, "x", null, []]}',
    "cut short": body_of(FIRST)[:-5],
    "trailing text": body_of(FIRST) + b"x",
    "duplicate member": body_of(FIRST)[:-1] + b', "keys": []}',
    "nested": b"[" * 5000,
    "private key": json.dumps({"keys": [FIRST.jwk(d=encode(b"d" * 32))]}).encode(),
    "RSA only": b'{"keys": [{"kty": "RSA", "kid": "first", "n": "AQAB", "e": "AQAB"}]}',
    "symmetric only": b'{"keys": [{"kty": "oct", "kid": "first", "k": "AQAB"}]}',
    "other curve": json.dumps({"keys": [FIRST.jwk(crv="P-384")]}).encode(),
    "other algorithm": json.dumps({"keys": [FIRST.jwk(alg="HS256")]}).encode(),
    "other use": json.dumps({"keys": [FIRST.jwk(use="enc")]}).encode(),
    "no kid": json.dumps({"keys": [FIRST.jwk(kid=None)]}).encode(),
    "long kid": json.dumps({"keys": [FIRST.jwk(kid="k" * 129)]}).encode(),
    "short coordinate": json.dumps({"keys": [FIRST.jwk(x="AQAB")]}).encode(),
    "long coordinate": json.dumps({"keys": [FIRST.jwk(x=encode(b"\0" + FIRST.x))]}).encode(),
    "coordinate a number": json.dumps({"keys": [FIRST.jwk(x=7)]}).encode(),
    "coordinate not ASCII": json.dumps({"keys": [FIRST.jwk(x="é" * 43)]}).encode(),
    "point not on the curve": json.dumps({"keys": [FIRST.jwk(x=encode(b"\1" * 32))]}).encode(),
    "too large": json.dumps({"keys": [FIRST.jwk(note="x" * jwks.MAX_BODY_BYTES)]}).encode(),
}


FAULTS = {
    **{name: answering(body) for name, body in RUBBISH.items()},
    "status 500": answering(body_of(SECOND), 500),
    "status 404": answering(body_of(SECOND), 404),
    "status 204": answering(b"", 204),
    "redirect": answering(b"", 302, Location="/elsewhere"),
    "cut off": answering(b"", 200, **{"Transfer-Encoding": "chunked"}),
    "no HTTP": lambda handler: handler.wfile.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n"),
    "hangs up": lambda handler: None,
    "without end": until_closed(b"x" * 65_536, 0),
    "bad compression": answering(b"not gzip", **{"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_last_good_set_outlives_a_bad_answer(
    fault: str, keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    keys.find("first")
    generation = keys.generation
    server.answer = FAULTS[fault]
    clock.pass_time(jwks.REFRESH_SECONDS + 1)

    refresh(keys)

    assert server.asked == 2
    assert is_first(keys.find("first"))
    assert keys.generation == generation


def test_last_good_set_outlives_the_server(keys: KeySet, server: KeyServer, clock: Clock) -> None:
    keys.find("first")
    server.stop()

    for _ in range(3):
        clock.pass_time(86_400)
        refresh(keys)

    assert is_first(keys.find("first"))
    assert keys.find("unknown") is None


@pytest.mark.parametrize("body", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_no_key_set(body: bytes) -> None:
    if len(body) > jwks.MAX_BODY_BYTES:
        body = body[: jwks.MAX_BODY_BYTES]

    with pytest.raises(UnusableKeySet):
        read_keys(body)


def test_keys_of_other_kinds_are_skipped() -> None:
    others = [{"kty": "RSA", "kid": "rsa"}, SECOND.jwk(use="enc"), None, FIRST.jwk()]

    keys = read_keys(json.dumps({"keys": others, "more": 1}).encode())

    assert set(keys) == {"first"}


def test_unknown_key_is_asked_for(keys: KeySet, server: KeyServer, clock: Clock) -> None:
    """A key that is published and used at once must not wait for the set to be old."""
    keys.find("first")
    server.answer = answering(body_of(FIRST, SECOND))
    clock.pass_time(jwks.UNKNOWN_KEY_PAUSE_SECONDS + 1)

    found = keys.find("second")

    assert found is not None
    assert server.asked == 2


def test_unknown_keys_are_asked_for_with_pauses(
    keys: KeySet, server: KeyServer, clock: Clock
) -> None:
    """Whoever invents key ids must not make us flood the users service."""
    keys.find("first")

    for n in range(15):
        clock.pass_time(1)
        assert keys.find(f"invented-{n}") is None

    assert server.asked == 2


def test_server_that_is_down_is_asked_with_pauses(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    server.answer = answering(b"", 503)

    for _ in range(20):
        clock.pass_time(0.1)
        with pytest.raises(KeysUnavailable):
            keys.find("first")

    assert server.asked == 2


def test_keys_come_as_soon_as_the_server_does(
    server: KeyServer, keys: KeySet, clock: Clock
) -> None:
    server.answer = answering(b"", 503)
    with pytest.raises(KeysUnavailable):
        keys.find("first")
    server.answer = answering(body_of(FIRST))
    clock.pass_time(jwks.NO_KEYS_PAUSE_SECONDS + 0.1)

    assert is_first(keys.find("first"))


def test_set_of_this_process_comes_from_settings(
    from_settings: SetKit, server: KeyServer, tmp_path: Path
) -> None:
    from_settings(jwks_cache_file=str(tmp_path / "keys.json"))

    first, again = jwks.find("first"), jwks.find("first")

    assert is_first(first)
    assert again is first
    assert server.asked == 1
    assert (tmp_path / "keys.json").read_bytes() == body_of(FIRST)


def local_keys() -> dict[str, Any]:
    return {"keys": [SECOND.jwk()]}


def test_service_that_has_the_keys_asks_nobody(from_settings: SetKit, server: KeyServer) -> None:
    from_settings(token_keys=f"{__name__}.local_keys")

    assert jwks.find("second") is not None
    assert jwks.find("first") is None
    assert server.asked == 0


def test_failure_of_any_kind_leaves_the_way_free(clock: Clock) -> None:
    answers = iter([ZeroDivisionError(), body_of(FIRST)])

    def fetch() -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    keys = KeySet(fetch, background=False)
    with pytest.raises(ZeroDivisionError):
        keys.find("first")
    clock.pass_time(jwks.NO_KEYS_PAUSE_SECONDS + 0.1)

    assert is_first(keys.find("first"))
