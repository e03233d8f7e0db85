"""A dockerd where nothing else starts it, by start-stop-daemon, which every Debian has.

Not `service docker start`: that script raises the limit of open files and gives up where it may
not, as in a container. Its pid is kept, so that only what was started here is ended again.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from compose import engine
from native import packages
from souk import commands
from souk.console import CommandError, last_lines, log_step, wait_until

LOG = Path("/var/log/souk-dockerd.log")
RECORD = Path("/run/souk-dockerd.pid")
SYSTEMD = Path("/run/systemd/system")
START_SECONDS = 60
STOP_SECONDS = 60


def start() -> None:
    """Start the engine and wait until it answers.

    Raises:
        CommandError: it does not, in a minute.
    """
    log_step("starting dockerd")
    if SYSTEMD.is_dir():
        commands.run_checked("systemctl start docker", ["systemctl", "start", "docker"])
        hint = "journalctl --unit docker says why"
        return wait_until(engine.answers, START_SECONDS, f"dockerd does not answer; {hint}")
    launch(packages.program("dockerd"))
    try:
        wait_until(engine.answers, START_SECONDS, "")
    except CommandError:
        end = last_lines(LOG.read_text(errors="replace"))
        raise CommandError(f"dockerd does not answer; the end of {LOG}:\n{end}") from None


def launch(
    program: str, words: Sequence[str] = (), *, log: Path = LOG, record: Path = RECORD
) -> None:
    """Run a program in the background, its output in the log and its pid in the record.

    Raises:
        CommandError: it could not be started, or what is recorded runs still.
    """
    options: list[object] = ["--background", "--no-close", "--make-pidfile", "--pidfile", record]
    command = ["--start", *options, "--exec", program, "--", *words]
    with log.open("ab") as file:
        done = _start_stop(command, file)
    if done.returncode:
        raise CommandError(f"{program} was not started: {log} says why")


def stop(program: str = "dockerd", record: Path = RECORD) -> bool:
    """End what `launch` has started. Returns False when it does not run.

    A process that was given the same pid later is another program, and left alone.

    Raises:
        CommandError: it does not end.
    """
    found = packages.find_program(program)
    if not found or not record.exists():
        return False
    options: list[object] = ["--pidfile", record, "--exec", found, "--remove-pidfile"]
    done = _start_stop(["--stop", *options, "--retry", f"TERM/{STOP_SECONDS}"])
    record.unlink(missing_ok=True)
    if done.returncode > 1:
        raise CommandError(f"{program} has not ended after {STOP_SECONDS} s")
    return done.returncode == 0


def _start_stop(
    words: Sequence[object], output: IO[bytes] | int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[bytes]:
    command = ["start-stop-daemon", *map(str, words)]
    path = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}"}
    return subprocess.run(
        command, env=path, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
    )
