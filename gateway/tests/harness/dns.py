"""A name server of the tests' own, as containers have one: a service's name and the addresses
behind it.
"""

import socket
import threading

FOUND, NO_SUCH_NAME = 0x8580, 0x8583  # an authoritative answer (RFC 1035, section 4.1.1)


class NameServer:
    """Answers from `records`; a name without addresses does not exist."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def stop(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(query), client)
            except OSError:
                return  # stopped

    def _answer(self, query: bytes) -> bytes:
        addresses = self.records.get(_name(query), [])
        flags = FOUND if addresses else NO_SUCH_NAME
        counts = b"\0\1" + len(addresses).to_bytes(2, "big") + bytes(4)
        # Each: the question's name, type A, class IN, 600 s to live (that nginx must not heed), 4
        # bytes.
        answers = b"".join(
            b"\xc0\x0c\0\1\0\1" + (600).to_bytes(4, "big") + b"\0\4" + socket.inet_aton(address)
            for address in addresses
        )
        return query[:2] + flags.to_bytes(2, "big") + counts + query[12:] + answers


def _name(query: bytes) -> str:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)
