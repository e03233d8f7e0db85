"""What a person is told, and what other programs say."""

import os
import signal
from collections.abc import Callable

import pytest

from souk import commands
from souk.console import CommandError, duration, exit_code, last_lines, show_status, wait_until
from souk.readiness import Finding, check


def test_failed_command_is_named_with_the_end_of_what_it_said() -> None:
    script = "echo out; echo err >&2; exit 3"

    with pytest.raises(CommandError) as failed:
        commands.run_checked("the step", ["sh", "-c", script])

    assert str(failed.value) == "the step failed:\nout\nerr"


def test_command_sees_our_variables_and_reads_no_terminal() -> None:
    script = 'cat; echo "$NAME"'

    assert commands.run_checked("it", ["sh", "-c", script], variables={"NAME": "x y"}) == "x y\n"


def test_wait_ends_with_the_condition_or_says_what_did_not_come_about() -> None:
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), 5, "never said")

    with pytest.raises(CommandError, match="it stayed away"):
        wait_until(lambda: False, 0, "it stayed away")


def test_status_has_its_columns_under_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["process", "state", "pid", ""], ["web", "RUNNING", 7, ""], ["relay", "FATAL", 12, "x"]]

    show_status(rows, {"orders": Finding(), "users": Finding("database: away")}, "the end")

    assert capsys.readouterr().out.splitlines() == [
        "process  state    pid",
        "web      RUNNING    7",
        "relay    FATAL     12  x",
        "",
        "orders   ready",
        "users    degraded: database: away",
        "",
        "the end",
    ]


def test_times_and_logs_are_cut_to_what_is_read() -> None:
    assert [duration(seconds) for seconds in (-1, 59.9, 3661)] == ["0:00:00", "0:00:59", "1:01:01"]
    assert last_lines("a\nb\nc\n", 2) == "b\nc"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("""echo '{"checks": {"database": "ok"}}'""", "ready"),
        ("""echo '{"checks": {"broker": "away"}}'""", "degraded: broker: away"),
        ("""echo '{"checks": {"database": "away"}}'; exit 1""", "NOT READY: database: away"),
        ("exit 1", "NOT READY: does not answer"),
        ("echo '<html>'; exit 1", "NOT READY: does not answer"),
    ],
)
def test_health_check_says_what_is_behind_a_service(script: str, said: str) -> None:
    assert str(check(["sh", "-c", script])) == said


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def refuse() -> None:
    raise CommandError("there is no such file; name another")


@pytest.mark.parametrize(
    ("command", "code"),
    [(lambda: None, 0), (lambda: 3, 3), (refuse, 1), (interrupt, 130)],
    ids=["done", "its own code", "cannot", "told to end"],
)
def test_exit_code_says_how_a_command_ended(command: Callable[[], int | None], code: int) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert exit_code(command) == code
    finally:
        signal.signal(signal.SIGTERM, before)


def test_command_that_cannot_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(refuse) == 1

    assert capsys.readouterr().err == "souk: there is no such file; name another\n"
