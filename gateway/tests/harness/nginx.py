"""Starts the gateway as the native stack does, in a folder and on a port
of its own.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .client import Response, request
from .upstream import Upstream

GATEWAY = Path(__file__).resolve().parents[2]
# One client address plays everybody: only the tests of the limits set low limits. What is asked is
# seen by the service: only the tests of the micro-cache have it answered by the gateway.
GENEROUS = {"CATALOGUE_CACHE": "off"} | {
    f"LIMIT_{name}_{kind}": value
    for name in ("API", "SEARCH", "AUTH", "SESSION")
    for kind, value in (("RATE", "10000r/s"), ("BURST", "10000"))
}


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 10) -> Any:
    """The condition's first true value; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Services:
    """The doubles of the three services, and of the process of orders that waits."""

    def __init__(self) -> None:
        self.users, self.products, self.orders, self.live = (
            Upstream("users"),
            Upstream("products"),
            Upstream("orders"),
            Upstream("live"),
        )

    def all(self) -> list[Upstream]:
        return [self.users, self.products, self.orders, self.live]

    def seen(self) -> int:
        return sum(len(upstream.seen) for upstream in self.all())

    def stop(self) -> None:
        for upstream in self.all():
            upstream.stop()


class Gateway:
    def __init__(self, services: Services, **variables: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="souk-gw-"))
        self.media = self.directory / "media"
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"] + ":/usr/sbin", "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "USERS_UPSTREAM": services.users.address,
            "PRODUCTS_UPSTREAM": services.products.address,
            "ORDERS_UPSTREAM": services.orders.address, "WORKER_PROCESSES": "1",
            "LIVE_UPSTREAM": services.live.address,
            "ACCESS_LOG": str(self.directory / "access.log"),
            "ERROR_LOG": str(self.directory / "error.log"), "MEDIA_DIR": str(self.media),
        } | GENEROUS | variables  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def render(self) -> None:
        subprocess.run(
            [str(GATEWAY / "container-entry"), "--render", str(self.directory)],
            env=self.environment,
            check=True,
        )

    def start(self) -> None:
        self.render()
        self.process = subprocess.Popen(
            [str(GATEWAY / "start"), str(self.directory)],
            env=self.environment,
            start_new_session=True,
        )
        wait_until(self._answers, "the gateway to answer")
        # As gateway/start does at the same time: from here on users has been asked for its keys.
        self.get("/readyz")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.errors()
        pid_file = self.directory / "nginx.pid"
        if not pid_file.exists() or pid_file.read_text().strip() != str(self.process.pid):
            return False  # what answers is left over from a master that was killed
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def kill_master(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop_nginx(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=20)

    def clear(self) -> None:
        """Empty RUN_DIR, as a container's restart does, which has it in memory."""
        shutil.rmtree(self.directory)
        self.directory.mkdir()

    def stop(self) -> None:
        self.stop_nginx()
        shutil.rmtree(self.directory, ignore_errors=True)

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        return request(self.port, method, path, headers, body)

    def get(self, path: str, token: str | None = None) -> Response:
        return self.request(
            "GET", path, {} if token is None else {"Authorization": f"Bearer {token}"}
        )

    def log_lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (self.directory / "access.log").read_text().splitlines()
        ]

    def logged(self, response: Response) -> dict[str, Any]:
        """The access log's line of a request; nginx writes it just after the answer."""
        wanted = response.headers["X-Request-ID"]
        found: list[dict[str, Any]] = wait_until(
            lambda: [line for line in self.log_lines() if line["request_id"] == wanted],
            f"the log line of {wanted}",
        )
        return found[-1]

    def errors(self) -> str:
        """The error log; nothing where a test has it written to stderr."""
        log = self.directory / "error.log"
        return log.read_text() if log.exists() else ""
