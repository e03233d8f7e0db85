"""A real gunicorn with a real port: told to stop under a storm of requests, it answers each one
that it did not refuse.
"""

import http.client
import os
import select
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
    """One POST on a connection of its own: answered, refused (before anything was sent) or lost
    (after).
    """
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


@contextmanager
def serving(folder: Path, application: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """gunicorn with our worker class and an application of a few lines."""
    (folder / "little.py").write_text(application)
    command = [sys.executable, "-m", "gunicorn", "--worker-class",
    "servicekit.operations.gunicorn_worker.DrainingThreadWorker",
               "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}",
               "--no-control-socket", "--keep-alive", "75", "little"]  # fmt: skip
    server = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: ask(port) == "answered")
        yield server
    finally:
        server.kill()
        server.wait()


REFUSES_UNREAD = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.mark.parametrize("size", [10, 64 * 1024, 128 * 1024, 1024 * 1024])
def test_connection_is_kept_after_an_answer_that_read_no_body(tmp_path: Path, size: int) -> None:
    port = free_port()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with serving(tmp_path, REFUSES_UNREAD, port), closing(client):
        client.request("POST", "/", b"x" * size)
        first = client.getresponse()
        first.read()
        assert first.headers["Connection"] == "keep-alive"
        socket_of_the_first = client.sock

        client.request("POST", "/", b"x")

        assert client.getresponse().read() == b"ok"
        assert client.sock is socket_of_the_first


SLOW = """
import time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(4)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def test_workers_end_with_their_parent_and_finish_what_they_have(tmp_path: Path) -> None:
    (tmp_path / "little.py").write_text(SLOW)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:servicekit.gunicorn_conf", "little"]
    variables = {
        **os.environ,
        "WEB_BIND": f"127.0.0.1:{port}",
        "WEB_PROCESSES": "2",
        "WEB_THREADS": "4",
    }
    server = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        wait_until(lambda: ask(port) == "answered")
        workers = children(server.pid)
        client.request("GET", "/slow")

        server.kill()
        server.wait()

        wait_until(lambda: is_free(port))
        still_working, _, _ = select.select([client.sock], [], [], 0)
        assert still_working == []
        assert client.getresponse().read() == b"ok"
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    finally:
        client.close()
        server.kill()
        server.wait()


def children(process_id: int) -> list[int]:
    found = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    return [int(each) for each in found.split()]


def is_free(port: int) -> bool:
    """Whether the next server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("attempt", range(5))
def test_stop_under_load_answers_all_that_were_accepted(tmp_path: Path, attempt: int) -> None:
    port, outcomes, stop = free_port(), Counter[str](), threading.Event()
    clients = [threading.Thread(target=storm, args=(port, outcomes, stop)) for _ in range(CLIENTS)]
    with serving(tmp_path, APPLICATION, port) as server:
        try:
            for client in clients:
                client.start()
            wait_until(lambda: outcomes["answered"] > 3 * CLIENTS)

            server.terminate()
            server.wait(timeout=30)
        finally:
            stop.set()
            server.kill()
            for client in clients:
                client.join(timeout=30)

    assert outcomes["refused"] > 0
    assert outcomes["lost"] == 0, outcomes
