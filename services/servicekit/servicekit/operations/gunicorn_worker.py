"""gunicorn's thread worker, which loses no request when it is told to stop.

gunicorn leaves its port open while it finishes what it has accepted. A client that connects
meanwhile is never accepted and is cut off at the end, after it has sent a request: a proxy cannot
know that nothing was done, and may not repeat a POST. This worker lets no new connections in,
accepts those that already wait, and closes the port: a client that comes then is refused before it
sends anything, and may try again.

For the same reason it keeps every connection that it has announced to keep, also when an unread
body was larger than gunicorn reads.
"""

import ctypes
import logging
import socket
import struct
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from servicekit.operations.gunicorn_problems import ProblemsMixin

logger = logging.getLogger(__name__)

#: From Linux' asm-generic/socket.h; Python has no name for it.
SO_ATTACH_FILTER = 26
#: A socket filter (Linux, networking/filter.rst): load the TCP flags, drop the packet if SYN is
#: among them, else pass it.
DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
#: For handshakes under way, which take a round trip.
HANDSHAKE_SECONDS = 0.02
#: How much of an unread body is read before the next request on its connection. gunicorn's own
#: 64 KiB are less than a body may have.
UNREAD_BYTES = 2 * 1024 * 1024
UNREAD_SECONDS = 5.0


class DrainingThreadWorker(ProblemsMixin, ThreadWorker):  # type: ignore[misc]
    """Drops new connections, accepts those waiting, closes the port, then ends its requests."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Stop or resume accepting.

        gunicorn calls it with False when the worker stops, and when it has all the connections that
        it may have.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                _drop_new_connections(listener)
            time.sleep(HANDSHAKE_SECONDS)
            for listener in self.sockets:
                self._accept_waiting(listener)
                listener.close()

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Whether the connection goes on after an answer (called by gunicorn).

        The answer has announced it by then, so a proxy may be sending the next request already.
        """
        deadline = time.monotonic() + UNREAD_SECONDS
        return keepalive and bool(
            conn.parser.finish_body(deadline=deadline, max_bytes=UNREAD_BYTES)
        )

    def _accept_waiting(self, listener: Any) -> None:
        accepted = -1
        while self.nr_conns != accepted:
            accepted = self.nr_conns
            self.accept(listener)


def _drop_new_connections(listener: Any) -> None:
    """Leave SYNs unanswered: a client repeats its own after a second, and is then refused.

    Without it, connections that arrive between the last accept and the close would be cut off.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in DROP_SYN))
    option = struct.pack("HL", len(DROP_SYN), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)
    except OSError as error:  # not Linux, or not TCP: the gap is some microseconds
        logger.info("cannot shut the port before it is drained", extra={"reason": str(error)})
