"""Clients that send or read slowly are ended in bounded time, and take nothing from others."""

import fcntl
import socket
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.client import assert_problem, parse
from harness.nginx import Gateway, Services, wait_until
from harness.upstream import Answer

from servicekit.testing.tokens import Signer

StartGateway = Callable[..., Gateway]
HEAD = "POST /api/auth/token/ HTTP/1.1\r\nHost: localhost\r\n"
LENGTH, CHUNKED = "Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
LARGEST_BODY = 128 * 1024
LONG_ANSWER = b"x" * (8 << 20)


@contextmanager
def sending(gateway: Gateway, text: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(text.encode())
        yield connection


def trickle_until_closed(connection: socket.socket, piece: bytes, *, seconds: float) -> bytes:
    """Sends a piece again and again, well within the time that nginx grants between two, until the
    other side hangs up.

    Returns what it answered; fails when it has not hung up after `seconds`.
    """
    connection.settimeout(0.2)
    received, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            got = connection.recv(65536)
            if not got:
                return received
            received += got
        except TimeoutError:
            pass
        except ConnectionError:
            return received
        try:
            connection.sendall(piece)
        except ConnectionError:
            return received
    raise AssertionError(f"the connection is open after {seconds} s")


def test_refused_body_that_goes_on_is_cut_off_after_the_answer(gateway: Gateway) -> None:
    with sending(gateway, f"{HEAD}Content-Length: {LARGEST_BODY + 1}\r\n\r\n") as slow:
        answer = trickle_until_closed(slow, b" ", seconds=20)

    assert_problem(parse(answer), 413, "body_too_large")


def test_pending_bodies_take_no_room_on_disk(gateway: Gateway, signer: Signer) -> None:
    head = (
        "POST /api/orders/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer"
        f" {signer.token()}\r\n"
    )
    part = " " * (LARGEST_BODY - 1)
    with sending(gateway, f"{head}Content-Length: {LARGEST_BODY}\r\n\r\n{part}") as slow:
        wait_until(lambda: unread(slow) == 0, "nginx to have read the body")

        assert largest_open_file(gateway, "body") == 0
        slow.sendall(b" ")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")


def test_long_answers_take_no_room_on_disk(
    own_gateway: StartGateway, own_services: Services, signer: Signer
) -> None:
    gateway = own_gateway()
    own_services.products.answers["/api/products/"] = Answer(body=LONG_ANSWER)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(10)
        slow.connect(("127.0.0.1", gateway.port))
        slow.sendall(b"GET /api/products/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert slow.recv(1) == b"H"

        assert gateway.get("/api/orders/", signer.token()).status == 200
        assert largest_open_file(gateway, "proxy") == 0
        received = 1
        while got := slow.recv(1 << 20):
            received += len(got)
            assert largest_open_file(gateway, "proxy") == 0

    assert received > len(LONG_ANSWER)


def unread(connection: socket.socket) -> int:
    """How much the other side's kernel has not taken from ours yet (tcp(7), SIOCOUTQ)."""
    buffer = bytearray(4)
    fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, buffer)
    return int.from_bytes(buffer, sys.byteorder)


def largest_open_file(gateway: Gateway, folder: str) -> int:
    """The size of the largest file below the folder that a worker has open: nginx deletes temporary
    ones when it makes them.
    """
    assert gateway.process is not None
    sizes = [0]
    for worker in children(gateway.process.pid):
        for link in Path(f"/proc/{worker}/fd").iterdir():
            with suppress(FileNotFoundError):
                if str(gateway.directory / folder) in str(link.readlink()):
                    sizes.append(link.stat().st_size)
    return max(sizes)


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
