"""Receives at MAIL_SINK_SMTP and shows at MAIL_SINK_PAGE, both HOST:PORT, until told to end."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from mailsink import page, receiver
from mailsink.store import Store


def main() -> int:
    """Serve; return the exit code."""
    signal.signal(signal.SIGTERM, _end)
    smtp, web = (_address(name) for name in ("MAIL_SINK_SMTP", "MAIL_SINK_PAGE"))
    store = Store()
    controller = receiver.start(store, *smtp)
    try:
        with page.server(store, *web) as server:
            print(f"mails come to {smtp[0]}:{smtp[1]}, http://{web[0]}:{web[1]}/ shows them")
            sys.stdout.flush()
            server.serve_forever()
    finally:
        controller.stop()
    return 0


def _address(name: str) -> tuple[str, int]:
    host, _, port = os.environ.get(name, "").rpartition(":")
    if not host or not port.isdigit():
        sys.exit(f"{name} is no HOST:PORT")
    return host, int(port)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
