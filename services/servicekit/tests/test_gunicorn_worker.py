"""A real gunicorn with a real port: told to stop under a storm of requests, it answers each one that it did not refuse."""

import http.client
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from servicekit.testing.waiting import wait_until

APPLICATION = """
import time
def application(environ, start_response):
    environ["wsgi.input"].read()
    time.sleep(0.02)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
CLIENTS = 24


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int) -> str:
    """One POST on a connection of its own: answered, refused (before anything was sent) or lost (after)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.connect()
    except OSError:
        return "refused"
    try:
        connection.request("POST", "/", b"x", {"Connection": "close"})
        return "answered" if connection.getresponse().read() == b"ok" else "lost"
    except (OSError, http.client.HTTPException):
        return "lost"
    finally:
        connection.close()


def storm(port: int, outcomes: Counter[str], stop: threading.Event) -> None:
    while not stop.is_set():
        outcome = ask(port)
        outcomes[outcome] += 1
        if outcome == "refused":
            return


@pytest.mark.parametrize("attempt", range(5))
def test_stop_under_load_answers_all_that_were_accepted(tmp_path: Path, attempt: int) -> None:
    (tmp_path / "little.py").write_text(APPLICATION)
    port, outcomes, stop = free_port(), Counter[str](), threading.Event()
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "servicekit.gunicorn_worker.DrainingThreadWorker",
               "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}", "--no-control-socket", "little"]  # fmt: skip
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    clients = [threading.Thread(target=storm, args=(port, outcomes, stop)) for _ in range(CLIENTS)]
    try:
        wait_until(lambda: ask(port) == "answered")
        for client in clients:
            client.start()
        wait_until(lambda: outcomes["answered"] > 3 * CLIENTS)

        server.terminate()
        server.wait(timeout=30)
    finally:
        stop.set()
        server.kill()
        server.wait()
        for client in clients:
            client.join(timeout=30)

    assert outcomes["refused"] > 0
    assert outcomes["lost"] == 0, outcomes
