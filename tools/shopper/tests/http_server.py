"""A small HTTP server in a thread: a function answers, and the requests are kept."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """Method, path with query, headers (lower case names) and the JSON body of one request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """`body` is sent as JSON, bytes as they are. `cut` ends the connection before or within it."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: str = ""


NO_ANSWER = Reply(cut="before")
HALF_AN_ANSWER = Reply(body={"detail": "torn"}, cut="within")


class HttpServer:
    """`requests` are in the order in which they came; `answer` is called for one at a time.

    `connections` is how many the clients opened.
    """

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._answer = answer
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self, path: str) -> list[Request]:
        """Return the requests to one path, whatever the query."""
        return [each for each in self.requests if each.path.partition("?")[0] == path]

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            return self._answer(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with server._lock:
                    server.connections += 1

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                raw = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = json.loads(raw) if raw else None
                self.send(server.reply_to(Request(self.command, self.path, headers, body)))

            do_GET = do_POST = do_PATCH = handle_any

            def send(self, reply: Reply) -> None:
                if reply.cut == "before":
                    self.close_connection = True
                    return
                is_raw = isinstance(reply.body, bytes)
                data = reply.body if is_raw else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if reply.cut:
                    self.close_connection, data = True, data[: len(data) // 2]
                self.wfile.write(data)

            def log_message(self, *words: object) -> None:
                """Keep the tests' output free of an access log."""

        return Handler

    @contextmanager
    def running(self) -> Iterator["HttpServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """Return a function that gives these replies in turn, and the last again and again."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
