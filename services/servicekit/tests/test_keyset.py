"""The key set against a real HTTP server: fetched once, kept through every fault of it, and never
in a request's way.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from servicekit.auth import jwks, tokens
from servicekit.auth.jwks import KeySet, KeysUnavailable, UnusableKeySet, read_keys
from servicekit.testing.fixtures import SetKit
from servicekit.testing.tokens import Signer, encode
from servicekit.testing.waiting import wait_until

FIRST, SECOND = Signer("first"), Signer("second")
Answer = Callable[[BaseHTTPRequestHandler], None]


def body_of(*signers: Signer) -> bytes:
    return json.dumps({"keys": [signer.jwk() for signer in signers]}).encode()


def answering(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def until_closed(part: bytes, every_seconds: float) -> Answer:
    """An answer without end: `part` again and again, until the reader has gone."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        gone = threading.Event()
        while not gone.wait(every_seconds):
            try:
                handler.wfile.write(part)
                handler.wfile.flush()
            except OSError:
                gone.set()

    return answer


class KeyServer:
    """The users service, as far as keys go: its answers can be changed, held back and counted."""

    def __init__(self) -> None:
        self.answer = answering(body_of(FIRST))
        self.asked = 0
        self.flows = threading.Event()
        self.flows.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/.well-known/jwks.json"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked += 1
                assert owner.flows.wait(30)
                owner.answer(self)

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    self.close_connection = True

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.flows.set()
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def held_back(self) -> Iterator[None]:
        self.flows.clear()
        try:
            yield
        finally:
            self.flows.set()


class Clock:
    """The machine's clock, which a test may set forward."""

    def __init__(self, read: Callable[[], float]) -> None:
        self._read = read
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        return self._read() + self.ahead_seconds

    def pass_time(self, seconds: float) -> None:
        self.ahead_seconds += seconds


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


def is_first(key: Any) -> bool:
    return bool(key.public_numbers() == FIRST.key.public_key().public_numbers())


def idle(keys: KeySet) -> bool:
    """Whether no fetch is under way."""
    return not any(thread.name == "keyset" for thread in threading.enumerate())


def refresh(keys: KeySet) -> None:
    keys.refresh_if_old()
    wait_until(lambda: idle(keys))


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


def test_keys_are_kept_in_a_file(server: KeyServer, tmp_path: Path) -> None:
    """A container that starts while users is away still knows whom to believe."""
    file = tmp_path / "keys.json"
    KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file).find("first")
    server.stop()

    restarted = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    assert is_first(restarted.find("first"))
    assert list(tmp_path.iterdir()) == [file]


def test_kept_keys_give_way_to_newer_ones(server: KeyServer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(body_of(SECOND))
    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)
    assert set(keys.keys) == {"second"}

    refresh(keys)

    assert set(keys.keys) == {"first"}
    assert file.read_bytes() == body_of(FIRST)


def test_bad_answer_spoils_no_kept_keys(server: KeyServer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(body_of(FIRST))
    server.answer = answering(b"{}")
    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    refresh(keys)

    assert file.read_bytes() == body_of(FIRST)


@pytest.mark.parametrize("kept", [b"", b"\xff", b"{}", body_of(FIRST)[:40]])
def test_spoilt_file_is_passed_over(server: KeyServer, tmp_path: Path, kept: bytes) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(kept)

    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    assert is_first(keys.find("first"))
    assert file.read_bytes() == body_of(FIRST)


def test_file_that_cannot_be_written_stops_nobody(server: KeyServer, tmp_path: Path) -> None:
    file = tmp_path / "no such folder" / "keys.json"

    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

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
