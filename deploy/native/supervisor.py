"""Talks with the stack's supervisor through its unix socket."""

import http.client
import os
import socket
import subprocess
import time
import xmlrpc.client  # nosec B411: only with our own supervisor, over a socket that nobody else may open
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from native import packages, processes
from native.errors import Cannot
from native.layout import VENV, Layout

ALREADY_STARTED, NOT_RUNNING, SPAWN_ERROR, ABNORMAL = 60, 70, 50, 40


@dataclass(frozen=True)
class Process:
    name: str
    state: str  # RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL
    pid: int
    started: int
    note: str


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self.path)
        self._connection = (host, connection)  # where close() looks for it
        return connection


def _call(layout: Layout, method: str, *values: Any) -> Any:
    transport = _Transport(str(layout.supervisor_socket))
    with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
        return getattr(proxy.supervisor, method)(*values)


def answers(layout: Layout) -> bool:
    """Whether a supervisor of this stack runs."""
    try:
        return bool(_call(layout, "getState")["statename"] == "RUNNING")
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return False


def start(layout: Layout, seconds: float = 15) -> None:
    """Starts supervisord in the background, with a clean environment that marks all it starts as ours."""
    environment = {
        "PATH": f"{VENV / 'bin'}:{packages.SEARCH_PATH}", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONUNBUFFERED": "1",
        "HOME": os.environ.get("HOME", "/"), processes.MARK: processes.mark(layout), "SOUK_STATE_DIR": str(layout.state),
    }  # fmt: skip
    for stale in (layout.supervisor_socket, layout.run / "supervisord.pid"):
        stale.unlink(missing_ok=True)
    # Warnings of the supervisor's own old habits (pkg_resources) are not ours to show.
    command = [
        str(VENV / "bin" / "python"),
        "-W",
        "ignore",
        str(VENV / "bin" / "supervisord"),
        "-c",
        str(layout.supervisor_conf),
    ]
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    deadline = time.monotonic() + seconds
    while done.returncode == 0 and time.monotonic() < deadline:
        if answers(layout):
            return
        time.sleep(0.05)
    raise Cannot(f"supervisord did not start: {done.stderr[-2000:]} (see {layout.log / 'supervisord.log'})")


def processes_of(layout: Layout) -> list[Process]:
    """Every program, in the order of its configuration."""
    return [
        Process(
            row["name"], row["statename"], row["pid"], row["start"], row["spawnerr"] or row["description"]
        )
        for row in _call(layout, "getAllProcessInfo")
    ]


def start_programs(layout: Layout, names: Iterable[str]) -> None:
    """Starts them all at once, without waiting."""
    for name in names:
        _tolerant(layout, "startProcess", name, ALREADY_STARTED)


def stop_programs(layout: Layout, names: Collection[str], seconds: float = 70) -> None:
    """Stops them all at once, and waits until they are; supervisor kills what takes longer than it may."""
    for name in names:
        _tolerant(layout, "stopProcess", name, NOT_RUNNING)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(found.name in names and found.pid for found in processes_of(layout)):
            return
        time.sleep(0.1)


def _tolerant(layout: Layout, method: str, name: str, harmless: int) -> None:
    try:
        _call(layout, method, name, False)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in (harmless, SPAWN_ERROR, ABNORMAL):
            raise Cannot(f"supervisor: {method} {name}: {fault.faultString}") from None


def shut_down(layout: Layout) -> None:
    """Ends the supervisor itself, and with it whatever it still runs."""
    _call(layout, "shutdown")
