"""Talks with the stack's supervisor through its unix socket, by supervisor's own client."""

import os
import socket
import subprocess
import xmlrpc.client  # nosec B411: only with our own supervisor, over a socket of our own
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from native import packages, processes
from native.layout import Layout
from souk.checkout import PYTHON, VENV
from souk.console import CommandError, wait_until

#: SPAWN_ERROR, ABNORMAL_TERMINATION, ALREADY_STARTED, NOT_RUNNING of supervisor.xmlrpc.Faults:
#: what a call wants is so already, or its program is started again a moment later.
HARMLESS = {50, 40, 60, 70}


@dataclass(frozen=True)
class Process:
    name: str
    state: str  # RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL
    pid: int
    started: int  # seconds since 1970
    note: str


def _call(layout: Layout, method: str, *values: Any) -> Any:
    # In .venv, which `answers` does not need.
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport("", "", f"unix://{layout.supervisor_socket}")
    with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
        return getattr(proxy.supervisor, method)(*values)


def answers(layout: Layout) -> bool:
    """Return whether a supervisor of this stack runs."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(layout.supervisor_socket)) == 0


def start(layout: Layout) -> None:
    """Start supervisord, with a clean environment that marks all it starts as ours."""
    environment = {
        "PATH": f"{VENV / 'bin'}:{packages.SEARCH_PATH}",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "HOME": os.environ.get("HOME", "/"),
        "RUNTIME": "native",
        "SOUK_STATE_DIR": str(layout.state),
        processes.MARK: str(layout.state),
    }
    for stale in (layout.supervisor_socket, layout.run / "supervisord.pid"):
        stale.unlink(missing_ok=True)
    # Warnings of the supervisor's own old habits (pkg_resources) are not ours to show.
    program = [str(PYTHON), "-W", "ignore", str(VENV / "bin" / "supervisord")]
    command = [*program, "-c", str(layout.supervisor_conf)]
    done = subprocess.run(command, env=environment, capture_output=True, cwd="/", check=False)
    failure = f"supervisord did not start: {done.stderr.decode()[-2000:]} (see {layout.log})"
    if done.returncode:
        raise CommandError(failure)
    wait_until(lambda: answers(layout), 15, failure)


def processes_of(layout: Layout) -> list[Process]:
    """Return every program, in the order of its configuration."""
    found = _call(layout, "getAllProcessInfo")
    return [
        Process(
            row["name"], row["statename"], row["pid"], row["start"],
            row["spawnerr"] or row["description"],
        )
        for row in found
    ]  # fmt: skip


def start_programs(layout: Layout, names: Collection[str]) -> None:
    """Start them all at once, without waiting."""
    for name in names:
        _change(layout, "startProcess", name, wait=False)


def stop_programs(layout: Layout, names: Collection[str]) -> None:
    """Stop them all at once, and wait; supervisor kills what takes longer than it may."""
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        list(pool.map(lambda name: _change(layout, "stopProcess", name, wait=True), names))


def _change(layout: Layout, method: str, name: str, *, wait: bool) -> None:
    try:
        _call(layout, method, name, wait)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in HARMLESS:
            raise CommandError(f"supervisor: {method} {name}: {fault.faultString}") from None


def shut_down(layout: Layout) -> None:
    """End the supervisor itself, and with it whatever it still runs."""
    _call(layout, "shutdown")
