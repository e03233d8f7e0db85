"""Only what was started here is ended, whatever has the pid by then. The processes are real."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap import daemon
from souk.console import CommandError

SLEEP = str(shutil.which("sleep"))
pytestmark = pytest.mark.skipif(
    not shutil.which("start-stop-daemon", path="/sbin:/usr/sbin"), reason="no Debian"
)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pid"
    yield path
    daemon.stop(SLEEP, path)


def command_of(pid: int) -> list[str]:
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_text().split("\0")[:-1] if path.exists() else []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_launched_is_recorded_and_ended(tmp_path: Path, record: Path) -> None:
    daemon.launch(SLEEP, ["60"], log=tmp_path / "log", record=record)
    pid = int(record.read_text())

    # The pid is recorded before the program has begun.
    wait_for(lambda: command_of(pid) == [SLEEP, "60"])
    assert daemon.stop(SLEEP, record)
    assert command_of(pid) == []
    assert not record.exists()


def test_second_launch_is_refused_while_the_first_runs(tmp_path: Path, record: Path) -> None:
    daemon.launch(SLEEP, ["60"], log=tmp_path / "log", record=record)
    wait_for(lambda: command_of(int(record.read_text())) == [SLEEP, "60"])

    with pytest.raises(CommandError, match="not started"):
        daemon.launch(SLEEP, ["60"], log=tmp_path / "log", record=record)


def test_output_goes_to_the_log(tmp_path: Path, record: Path) -> None:
    daemon.launch(SLEEP, ["no number"], log=tmp_path / "log", record=record)

    wait_for(lambda: "no number" in (tmp_path / "log").read_text())


def test_other_program_that_got_the_pid_later_is_left_alone(tmp_path: Path, record: Path) -> None:
    other = subprocess.Popen(["tail", "-f", "/dev/null"])
    record.write_text(f"{other.pid}\n")

    try:
        assert not daemon.stop(SLEEP, record)
        assert other.poll() is None
        assert not record.exists()
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait(5)


def test_nothing_is_ended_without_a_record(record: Path) -> None:
    assert not daemon.stop(SLEEP, record)


def test_what_ended_by_itself_is_not_there_to_be_ended(tmp_path: Path, record: Path) -> None:
    daemon.launch(SLEEP, ["0"], log=tmp_path / "log", record=record)
    pid = int(record.read_text())
    wait_for(lambda: not command_of(pid))

    assert not daemon.stop(SLEEP, record)
