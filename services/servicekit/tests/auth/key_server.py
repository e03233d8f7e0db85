"""A key server whose answers a test decides, and the clock by which a key set ages."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servicekit.auth.jwks import KeySet
from servicekit.testing.tokens import Signer
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


def is_first(key: Any) -> bool:
    return bool(key.public_numbers() == FIRST.key.public_key().public_numbers())


def idle(keys: KeySet) -> bool:
    """Whether no fetch is under way."""
    return not any(thread.name == "keyset" for thread in threading.enumerate())


def refresh(keys: KeySet) -> None:
    keys.refresh_if_old()
    wait_until(lambda: idle(keys))
