"""An HTTP server in the place of a service: it echoes what reached it, or answers what the test
told it to.
"""

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What the gateway asks while it holds requests: always answered, never recorded.
LIVE = "/livez"
# What it asks users again and again: recorded where a test answers it.
REVOCATIONS = "/internal/revocations/"
NOBODY_REVOKED = b'{"horizon": 1, "revoked": []}'
PROBLEM = {"Content-Type": "application/problem+json"}


@dataclass
class Seen:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class Upstream:
    """One service's double. `answers[path]` overrides the echo; `seen` holds every request;
    `to_break` is how many of the next requests it reads and then hangs up on; it answers nobody
    while `may_answer` is not set.
    """

    def __init__(self, name: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.name = name
        self.host = host
        self.answers: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.to_break = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.port = port
        self._server: ThreadingHTTPServer | None = None
        self.connections: set[socket.socket] = set()
        self.start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        self._server = ThreadingHTTPServer(
            (self.host, self.port), type("Handler", (_Handler,), {"upstream": self})
        )
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def stop(self) -> None:
        """As when the process dies: the port closes, and so does every open connection."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for connection in list(self.connections):
            _hang_up(connection)

    def requests_for(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.split("?")[0] == path]

    def reply(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        return self.answers.get(seen.path.split("?")[0]) or Answer(body=self._echo(seen))

    def _echo(self, seen: Seen) -> bytes:
        told: dict[str, Any] = {
            "service": self.name,
            "method": seen.method,
            "path": seen.path,
            "size": len(seen.body),
        }
        return json.dumps(told).encode()


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was quicker


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: Upstream

    def setup(self) -> None:
        super().setup()
        self.upstream.connections.add(self.connection)

    def finish(self) -> None:
        self.upstream.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return  # hung up, by the test or by nginx

    def answer(self) -> None:
        if self.path == LIVE:
            self.write(Answer())
            return
        if self.path.split("?")[0] == REVOCATIONS and REVOCATIONS not in self.upstream.answers:
            self.write(Answer(body=NOBODY_REVOKED))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.upstream.reply(
            Seen(self.command, self.path, list(self.headers.items()), body)
        )
        self.upstream.may_answer.wait(timeout=30)
        if self.upstream.to_break > 0:
            self.upstream.to_break -= 1
            self.close_connection = True
            return
        self.write(answer)

    def write(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_PUT = do_OPTIONS = answer

    def log_message(self, format: str, *args: object) -> None:
        return
