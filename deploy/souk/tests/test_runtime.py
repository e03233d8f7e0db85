"""Who is asked for by RUNTIME, on a machine with nothing but Python."""

import os
import subprocess
import sys
from pathlib import Path

from souk.checkout import REPOSITORY


def run(runtime: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """`make status` where there is neither docker nor a stack."""
    environment = {
        "RUNTIME": runtime,
        "PATH": str(tmp_path),
        "SOUK_STATE_DIR": str(tmp_path / "state"),
        "HOME": os.environ["HOME"],
    }
    command = [sys.executable, str(REPOSITORY / "deploy" / "souk"), "status"]
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
