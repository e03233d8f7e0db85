"""Clients: a polite client (http.client), and a client that sends whatever bytes it is given."""

import http.client
import io
import json
import socket
from dataclasses import dataclass
from typing import Any

CONNECT_SECONDS = 10


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    port: int,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CONNECT_SECONDS)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def send_raw(port: int, data: bytes, *, timeout_seconds: float = 5) -> bytes:
    """Everything the gateway answers until it closes the connection (or says nothing more for
    `timeout_seconds`).
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds) as connection:
        connection.sendall(data)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionResetError):
            return received
        return received


class _Stored:
    """Lets http.client read an answer out of bytes."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def makefile(self, *_: object) -> Any:
        return self._file


def parse(data: bytes) -> Response:
    """The first answer in what `send_raw` returned."""
    answer = http.client.HTTPResponse(_Stored(data))  # type: ignore[arg-type]
    answer.begin()
    return Response(answer.status, answer.headers, answer.read())


def assert_problem(response: Response, status: int, code: str | None = None) -> None:
    """The shape every error has (docs/api.md, "Errors")."""
    assert response.status == status, response.body
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json
    assert problem["status"] == status
    assert {"type", "title", "code", "detail", "request_id"} <= problem.keys()
    assert problem["request_id"] == response.headers["X-Request-ID"] != ""
    assert len(response.headers.get_all("X-Request-ID")) == 1
    if code is not None:
        assert problem["code"] == code
