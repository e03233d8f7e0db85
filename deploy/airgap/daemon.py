"""A dockerd where nothing else starts one: in the background, its pid kept, so that it can be ended
again.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from compose import engine
from native import packages
from souk import files
from souk.console import CommandError, log_step

LOG = Path("/var/log/souk-dockerd.log")
RECORD = Path("/run/souk-dockerd.pid")
SYSTEMD = Path("/run/systemd/system")
START_SECONDS = 60
STOP_SECONDS = 60


def start() -> None:
    """Starts the engine and waits until it answers.

    Raises:
        CommandError: it does not, in a minute.
    """
    log_step("starting dockerd")
    if SYSTEMD.is_dir():
        done = subprocess.run(
            ["systemctl", "start", "docker"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandError(f"systemctl start docker: {done.stderr.strip()}")
        _wait(lambda: True, "journalctl --unit docker says why")
        return
    process = launch([packages.program("dockerd")])
    _wait(lambda: process.poll() is None, f"the end of {LOG}:", LOG)


def launch(command: list[str], log: Path = LOG, record: Path = RECORD) -> subprocess.Popen[bytes]:
    """Runs the command in a session of its own, and writes down which process it is."""
    path = f"{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}"
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    files.write_file(record, f"{process.pid} {_born(process.pid)}\n", mode=0o644)
    return process


def _wait(lives: Callable[[], bool], hint: str, log: Path | None = None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not engine.answers():
        if time.monotonic() > deadline or not lives():
            end = (
                "".join(log.read_text(errors="replace").splitlines(keepends=True)[-20:])
                if log
                else ""
            )
            raise CommandError(f"dockerd does not answer; {hint}\n{end}".rstrip())
        time.sleep(0.3)


def stop(record: Path = RECORD) -> bool:
    """Ends the process that `launch` started. Returns False when there is none.

    Raises:
        CommandError: it does not end.
    """
    pid, born = recorded(record)
    if not pid or _born(pid) != born:
        record.unlink(missing_ok=True)
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _born(pid) == born:
        if time.monotonic() > deadline:
            raise CommandError(f"dockerd ({pid}) has not ended after {STOP_SECONDS} s")
        time.sleep(0.1)
    record.unlink(missing_ok=True)
    return True


def recorded(record: Path = RECORD) -> tuple[int, str]:
    """Pid and time of birth; 0 when none is recorded."""
    words = record.read_text().split() if record.exists() else []
    return (int(words[0]), words[1]) if len(words) == 2 else (0, "")


def _born(pid: int) -> str:
    """When a process began, in ticks since boot; empty when it has ended.

    With it, a pid given anew is not taken for ours.
    """
    with contextlib.suppress(OSError):
        # proc(5): state is field 3 and starttime field 22; the name before them may have blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""
