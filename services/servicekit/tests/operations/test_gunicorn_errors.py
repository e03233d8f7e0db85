"""What gunicorn itself answers, at a service's own port: problems, and the limits lie above the
gateway's.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from servicekit.testing.waiting import wait_until

APPLICATION = """
def application(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("broken")
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]
"""
GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
POST = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
GATEWAY_LONGEST_LINE = 8190

REFUSED = {
    "control byte in a value": (f"{GET}User-Agent: a\x01b\r\n\r\n", 400),
    "blank before the colon": (f"{GET}X-A : 1\r\n\r\n", 400),
    "folded header": (f"{GET}X-A: 1\r\n  2\r\n\r\n", 400),
    "no colon": (f"{GET}nonsense\r\n\r\n", 400),
    "two hosts": (f"{GET}Host: b\r\n\r\n", 400),
    "two media types": (f"{POST}Content-Type: a/b\r\nContent-Type: a/c\r\n\r\n", 400),
    "two lengths": (f"{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "signed length": (f"{POST}Content-Length: +1\r\n\r\na", 400),
    "length and coding": (
        f"{POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "coding in HTTP/1.0": ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "unknown coding": (f"{POST}Transfer-Encoding: xchunked\r\n\r\n", 501),
    "expectation": (f"{GET}Expect: nonsense\r\n\r\n", 417),
    "version": ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    "method": ("get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no request": ("nonsense\r\n\r\n", 400),
    "bare line feed": ("GET / HTTP/1.1\nHost: a\n\n", 400),
    "line too long": (f"GET /{'a' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "header too long": (f"{GET}X-A: {'a' * 70_000}\r\n\r\n", 431),
    "too many headers": (GET + "X-A: 1\r\n" * 200 + "\r\n", 431),
    "broken application": ("GET /broken HTTP/1.1\r\nHost: a\r\n\r\n", 500),
}
PASSED = {
    "script name": f"{GET}SCRIPT_NAME: /x\r\n\r\n",
    "path info": f"{GET}PATH_INFO: /broken\r\n\r\n",
    "absolute target": f"GET http://a/ HTTP/1.1\r\n{GET.partition(chr(10))[2]}\r\n",
    "HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
    "longest line of the gateway": f"GET /{'a' * (GATEWAY_LONGEST_LINE - 14)}"
    f" HTTP/1.1\r\n{GET.partition(chr(10))[2]}\r\n",
    "longest header of the gateway": f"{GET}X-A: {'a' * (GATEWAY_LONGEST_LINE - 5)}\r\n\r\n",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gunicorn with the services' own configuration."""
    folder: Path = tmp_path_factory.mktemp("little")
    (folder / "little.py").write_text(APPLICATION)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "-c", "python:servicekit.gunicorn_conf",
               "--bind", f"127.0.0.1:{number}", "--workers", "1", "little"]  # fmt: skip
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(number))
        yield number
    finally:
        server.terminate()
        server.wait(timeout=30)


def _answers(port: int) -> bool:
    try:
        return _ask(port, f"{GET}\r\n")[0] == 200
    except OSError:
        return False


def _ask(port: int, request: str) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize(("request_text", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal_of_gunicorn_is_a_problem(port: int, request_text: str, status: int) -> None:
    answered, headers, body = _ask(port, request_text)

    assert answered == status, body
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == status
    assert {"type", "title", "code", "detail", "request_id"} <= problem.keys()
    assert headers["x-request-id"] == problem["request_id"] != ""
    assert "nonsense" not in body.decode()


@pytest.mark.parametrize("request_text", PASSED.values(), ids=PASSED.keys())
def test_odd_but_sound_request_reaches_the_application(port: int, request_text: str) -> None:
    status, headers, body = _ask(port, request_text)

    assert (status, headers["content-type"], body) == (200, "application/json", b"{}")
