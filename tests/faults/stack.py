"""The stack from the operator's side: its processes, its databases, its broker, its audit."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from harness import wait_until

from native import processes, supervisor
from native.layout import Layout
from shopper.ops import ROOT, Ops

SERVICES = ("users", "products", "orders")
#: Everything of ours that may die, in the order of a purchase.
OURS = (
    "orders-web",
    "orders-relay",
    "products-consumer",
    "products-relay",
    "orders-consumer",
    "orders-live",
    "products-web",
    "users-web",
    "users-relay",
    "users-consumer",
    *(f"{name}-{process}" for name in SERVICES for process in ("worker", "beat")),
)


class Stack:
    """A running native stack."""

    def __init__(self, ops: Ops) -> None:
        self.ops = ops
        self.layout = Layout(ops.state.resolve())

    def pids(self) -> dict[str, int]:
        return {each.name: each.pid for each in supervisor.processes_of(self.layout)}

    def kill(self, name: str) -> None:
        """SIGKILL the program's own process; supervisor starts it again."""
        os.kill(self.pids()[name], signal.SIGKILL)

    def kill_a_child(self, name: str) -> None:
        """SIGKILL one process that the program started, a gunicorn worker for instance."""
        parent = self.pids()[name]
        children = processes.descendants([parent]) - {parent}
        if children:
            os.kill(min(children), signal.SIGKILL)

    def await_running(self, *names: str, seconds: float = 60) -> None:
        wait_until(
            lambda: all(
                each.state == "RUNNING"
                for each in supervisor.processes_of(self.layout)
                if each.name in names
            ),
            seconds=seconds,
            what=f"{', '.join(names)} run",
        )

    @contextmanager
    def stopped(self, *names: str) -> Iterator[None]:
        supervisor.stop_programs(self.layout, names)
        try:
            yield
        finally:
            supervisor.start_programs(self.layout, names)
            self.await_running(*names)

    def restart(self, name: str) -> None:
        with self.stopped(name):
            pass

    def restart_web(self, *services: str) -> None:
        """Restart their web processes, and wait until each of them answers."""
        with self.stopped(*(f"{name}-web" for name in services)):
            pass
        for name in services:
            url = f"{self.ops[f'{name.upper()}_URL']}/livez"
            wait_until(lambda url=url: _answers(url), seconds=60, what=f"{name} answers")

    def forget_keys(self) -> None:
        """Have gateway and services begin anew, with no key set of before."""
        with self.stopped("gateway"):
            shutil.rmtree(self.layout.run / "gateway" / "keys")
        for name in ("products", "orders"):
            with self.stopped(f"{name}-web"):
                (self.layout.run / f"jwks-{name}.json").unlink(missing_ok=True)
        wait_until(lambda: _answers(f"{self.ops.gateway}/healthz"), seconds=60, what="it answers")

    @contextmanager
    def database(self, service: str) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(
            self.ops[f"OPS_DATABASE_URL_{service.upper()}"], autocommit=True
        ) as connection:
            yield connection

    def number(self, service: str, query: str, *parameters: Any) -> int:
        with self.database(service) as connection:
            row = connection.execute(query, parameters).fetchone()
            return int(row[0]) if row else 0

    def log_end(self, program: str) -> int:
        """Return where a program's log ends now."""
        return (self.layout.log / f"{program}.log").stat().st_size

    def requests_since(self, program: str, position: int, path: str) -> int:
        """Return how often a path was asked for since a position in the program's log."""
        with (self.layout.log / f"{program}.log").open("rb") as log:
            log.seek(position)
            return log.read().count(f'"path": "{path}"'.encode())

    def audit(self, *, settle: float = 120) -> None:
        """Run the audit and fail with what it printed."""
        done = self._tool("audit", "--settle", str(settle))
        assert done.returncode == 0, done.stdout + done.stderr

    def start_replay(self, file: Path, log: Path, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "tools" / "demo"), "--file", str(file), *words]
        with log.open("w") as output:
            return subprocess.Popen(
                command, env=self._variables(), stdout=output, stderr=subprocess.STDOUT, text=True
            )

    def deadletters(self, service: str, *words: str) -> str:
        """Run the command of the same name for a service."""
        return self._command("deadletters", service, *words)

    def outbox(self, service: str, *words: str) -> str:
        """Run the command of the same name for a service."""
        return self._command("outbox", service, *words)

    def _command(self, name: str, service: str, *words: str) -> str:
        command = [sys.executable, str(ROOT / "deploy" / "souk"), name, service, "--", *words]
        done = subprocess.run(
            command, env=self._variables(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _tool(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "tools" / name), *words]
        return subprocess.run(
            command, env=self._variables(), capture_output=True, text=True, check=False
        )

    def _variables(self) -> dict[str, str]:
        return {**os.environ, "SOUK_STATE_DIR": str(self.layout.state)}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def pause(seconds: float) -> None:
    """Let time pass between faults: the fault's own duration, not a wait for a result."""
    time.sleep(seconds)
