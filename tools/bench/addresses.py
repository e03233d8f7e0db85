"""Where servers of a benchmark listen, and whether they do."""

import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_address() -> str:
    """Return host and port of the loopback interface that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def await_answer(url: str, server: "subprocess.Popen[bytes]", seconds: float = 30) -> None:
    """Wait until a server gives any answer.

    Raises:
        TimeoutError: it gives none, or has ended.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return  # 401: it is there
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"there is no answer at {url}")
