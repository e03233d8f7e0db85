"""Faults for tests: a TCP proxy that stalls, and a database that is away.

A stopped server refuses connections, a stalled server is silent, and the two fail in different
ways. The proxy needs no netem, which not every kernel has.
"""

import contextlib
import ctypes
import select
import socket
import struct
import threading
from collections.abc import Iterator

from django.db import connection

#: From Linux' asm-generic/socket.h; Python has no names for them.
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
#: A socket filter (Linux, networking/filter.rst): drop every packet.
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)


class StallingProxy:
    """Forwards connections to `target`; stalls both ways or only the answers.

    While it stalls, it keeps what arrives.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = ""
        self._requests_flow, self._answers_flow = threading.Event(), threading.Event()
        self._ended = threading.Event()
        self._clients: list[socket.socket] = []
        self.flow()

    def __enter__(self) -> "StallingProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self.flow()
        self._listener.close()

    def stall(self, *, answers_only: bool = False) -> None:
        """Let nothing through from now on; with `answers_only` requests still reach the target."""
        self._answers_flow.clear()
        if not answers_only:
            self._requests_flow.clear()

    def flow(self) -> None:
        """Let everything through, first what was kept."""
        self._requests_flow.set()
        self._answers_flow.set()

    def vanish(self) -> None:
        """Behave as a host without power: packets of clients are not even acknowledged.

        New connections work.
        """
        self.stall()
        program = ctypes.create_string_buffer(DROP_ALL)
        option = struct.pack("HL", 1, ctypes.addressof(program))
        for client in self._clients:
            client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._target)
                self._clients.append(client)
            except OSError:
                return
            for source, sink, gate in (
                (client, server, self._requests_flow),
                (server, client, self._answers_flow),
            ):
                threading.Thread(target=self._pump, args=(source, sink, gate), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, gate: threading.Event) -> None:
        with contextlib.suppress(OSError, ValueError), source, sink:
            while not self._ended.is_set():
                if not select.select([source], [], [], 0.2)[0]:
                    continue
                data = source.recv(65536)
                if not data:
                    return
                gate.wait()
                sink.sendall(data)


@contextlib.contextmanager
def database_away() -> Iterator[None]:
    """Direct this process's database connections to a closed port, for the length of the block."""
    port = connection.settings_dict["PORT"]
    _connect_to("1")
    try:
        yield
    finally:
        _connect_to(port)


def _connect_to(port: str) -> None:
    connection.close()
    connection.settings_dict["PORT"] = port
