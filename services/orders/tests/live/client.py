"""A socket as a test opens it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from servicekit.testing.tokens import make_token

#: The machine may be busy: nothing here takes long, and nothing is measured.
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Live:
    """A `live` process that runs."""

    address: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def open(self, user_id: UUID | None = None, **options: Any) -> Iterator["Socket"]:
        """Open a socket as this customer, for the length of the block."""
        token = options.pop("token", None) or make_token(user_id)
        options.setdefault("additional_headers", {"Authorization": f"Bearer {token}"})
        options.setdefault("compression", None)
        path = options.pop("path", "/ws/orders/")
        with connect(
            f"ws://{self.address}{path}", open_timeout=PATIENCE_SECONDS, **options
        ) as connection:
            yield Socket(connection)

    def refusal(self, **options: Any) -> tuple[int, dict[str, Any]]:
        """Return status and problem of a handshake that is refused."""
        with pytest.raises(InvalidStatus) as refused, self.open(**options):
            pass
        response = refused.value.response
        assert response.headers["Content-Type"] == "application/problem+json"
        return response.status_code, json.loads(response.body or b"")


class Socket:
    """An open socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, message: Any) -> None:
        """Send a message; text as it is."""
        self.connection.send(message if isinstance(message, str) else json.dumps(message))

    def next(self, kind: str) -> dict[str, Any]:
        """Return the next message of this type."""
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv(timeout=PATIENCE_SECONDS))
            if message["type"] == kind:
                return message

    def subscribe(self, orders: Any = "all") -> dict[str, Any]:
        """Subscribe; return what was answered."""
        self.send({"type": "subscribe", "orders": orders})
        return self.next("subscribed")

    def next_state(self) -> tuple[str, str, int]:
        """Return id, status and version of the next order that is told."""
        order = self.next("order")["order"]
        return order["id"], order["status"], order["version"]

    def close_code(self) -> int:
        """Return the code with which the other side closes."""
        with suppress(ConnectionClosed):
            while True:
                self.connection.recv(timeout=PATIENCE_SECONDS)
        return self.connection.close_code or 0
