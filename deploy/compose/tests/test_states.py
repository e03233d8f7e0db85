"""What `make status` and `make up` make of a container's state; and who is asked for by RUNTIME."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compose import stack, status
from native.layout import REPOSITORY


def container(service: str, **state: Any) -> dict[str, Any]:
    known = {"Status": "running", "Running": True, "ExitCode": 0}
    return {"Config": {"Labels": {"com.docker.compose.service": service}}, "State": {**known, **state}}


HEALTHY = {"Status": "healthy", "Log": []}
UNHEALTHY = {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "database: away\n"}]}
ENDED = {"Status": "exited", "Running": False}


@pytest.mark.parametrize(
    ("service", "state", "complaint"),
    [
        ("orders-web", {"Health": HEALTHY}, ""),
        ("orders-web", {"Health": UNHEALTHY}, "unhealthy: database: away"),
        ("orders-web", {"Health": {"Status": "starting"}}, "starting: not asked yet"),
        ("orders-web", {**ENDED, "ExitCode": 137}, "exited (137)"),
        ("orders-web", {**ENDED, "ExitCode": 0}, "exited (0)"),
        ("orders-web", {"Restarting": True, "ExitCode": 1}, "running (1)"),
        ("orders-migrate", {**ENDED, "ExitCode": 0}, ""),
        ("orders-migrate", {**ENDED, "ExitCode": 1}, "exited (1), should have ended well"),
        ("broker-setup", {}, "running (0), should have ended well"),
    ],
)
def test_complaint_says_what_is_wrong(service: str, state: dict[str, Any], complaint: str) -> None:
    assert stack.complaint(container(service, **state)) == complaint


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"status": "ready", "checks": {"database": "ok", "dead_letters": "ok"}}, "ready"),
        (
            {"status": "degraded", "checks": {"database": "ok", "dead_letters": "3 wait"}},
            "degraded: dead_letters: 3 wait",
        ),
        ({}, "does not answer"),
    ],
)
def test_status_tells_what_wants_attention(said: dict[str, Any], line: str) -> None:
    assert status.summary(said) == line


def run(runtime: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """`make status` where there is neither docker nor a stack."""
    environment = {
        "RUNTIME": runtime,
        "PATH": str(tmp_path),
        "SOUK_STATE_DIR": str(tmp_path / "state"),
        "HOME": os.environ["HOME"],
    }
    command = [sys.executable, str(REPOSITORY / "deploy" / "runtime"), "status"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_auto_without_an_engine_is_native(tmp_path: Path) -> None:
    assert run("auto", tmp_path).stdout.strip() == "Souk is down."
    assert run("", tmp_path).stdout.strip() == "Souk is down."


def test_compose_without_a_client_says_what_to_do(tmp_path: Path) -> None:
    done = run("compose", tmp_path)

    assert done.returncode == 1
    assert "RUNTIME=native" in done.stderr


def test_unknown_runtime_is_refused(tmp_path: Path) -> None:
    done = run("kubernetes", tmp_path)

    assert done.returncode == 1
    assert "auto, compose or native" in done.stderr
