import time
from pathlib import Path

from airgap import daemon


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while daemon._born(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not daemon._born(pid)


def test_what_was_launched_is_recorded_and_ended(tmp_path: Path) -> None:
    record = tmp_path / "pid"
    process = daemon.launch(["sleep", "60"], tmp_path / "log", record)

    assert daemon.recorded(record)[0] == process.pid
    assert daemon.stop(record)

    assert process.wait(5) == -15
    assert not record.exists()


def test_its_output_goes_to_the_log(tmp_path: Path) -> None:
    process = daemon.launch(
        ["sh", "-c", "echo out; echo error >&2"], tmp_path / "log", tmp_path / "pid"
    )
    process.wait(5)

    assert sorted((tmp_path / "log").read_text().split()) == ["error", "out"]


def test_process_that_got_the_pid_later_is_left_alone(tmp_path: Path) -> None:
    record = tmp_path / "pid"
    process = daemon.launch(["sleep", "60"], tmp_path / "log", record)
    record.write_text(f"{process.pid} 1\n")

    assert not daemon.stop(record)

    assert process.poll() is None
    assert not record.exists()
    process.kill()
    process.wait(5)


def test_nothing_is_ended_without_a_record(tmp_path: Path) -> None:
    assert not daemon.stop(tmp_path / "pid")


def test_what_ended_by_itself_is_not_there_to_be_ended(tmp_path: Path) -> None:
    record = tmp_path / "pid"
    process = daemon.launch(["sleep", "0"], tmp_path / "log", record)

    assert wait_until_gone(process.pid)
    assert not daemon.stop(record)
    process.wait(5)
