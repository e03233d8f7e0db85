"""A supervisor of our own, with programs that run, end, or cannot run at all."""

import sys
from collections.abc import Iterator

import pytest

from native import processes, programs, supervisor
from native.layout import Layout
from native.programs import Program
from native.runtime import NativeRuntime
from souk.checkout import PROCESSES
from souk.console import CommandError, wait_until

# A percent sign is supervisor's own sign for a format.
WAITS = "import time; print('ready 100%', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.fixture
def supervised(layout: Layout) -> Iterator[Layout]:
    """The supervisor runs, and none of its programs yet."""
    found = [
        Program("waits", [sys.executable, "-c", WAITS]),
        Program("stubborn", [sys.executable, "-c", STUBBORN], stop_seconds=1),
        Program("ends", ["/bin/false"]),
        Program("never-runs", ["/nowhere/program"]),
    ]
    layout.supervisor_conf.write_text(programs.configuration(layout, found))
    supervisor.start(layout)
    yield layout
    NativeRuntime(layout).down()


def states(layout: Layout) -> dict[str, str]:
    return {each.name: each.state for each in supervisor.processes_of(layout)}


def is_in(layout: Layout, name: str, *wanted: str) -> None:
    wait_until(lambda: states(layout)[name] in wanted, 20, f"{name} is not {wanted}")


def test_nothing_but_servers_starts_by_itself(supervised: Layout) -> None:
    assert supervisor.answers(supervised)
    assert set(states(supervised).values()) == {"STOPPED"}


def test_program_runs_until_it_is_stopped(supervised: Layout) -> None:
    supervisor.start_programs(supervised, ["waits"])
    is_in(supervised, "waits", "RUNNING")
    running = next(each for each in supervisor.processes_of(supervised) if each.name == "waits")
    log = supervised.log / "waits.log"
    wait_until(lambda: "ready 100%" in log.read_text(), 10, "it has written nothing")

    supervisor.start_programs(supervised, ["waits"])  # runs already: no error
    supervisor.stop_programs(supervised, ["waits"])
    supervisor.stop_programs(supervised, ["waits"])  # has ended already: no error

    assert states(supervised)["waits"] == "STOPPED"
    assert running.pid not in processes.living()


def test_program_that_does_not_end_in_its_time_is_killed(supervised: Layout) -> None:
    supervisor.start_programs(supervised, ["stubborn"])
    is_in(supervised, "stubborn", "RUNNING")

    supervisor.stop_programs(supervised, ["stubborn"])

    assert states(supervised)["stubborn"] == "STOPPED"


def test_program_that_is_not_there_is_refused_by_its_path(supervised: Layout) -> None:
    with pytest.raises(CommandError, match="never-runs: NO_FILE"):
        supervisor.start_programs(supervised, ["never-runs"])


def test_program_that_ends_at_once_is_started_again_and_seen(supervised: Layout) -> None:
    supervisor.start_programs(supervised, ["ends"])

    is_in(supervised, "ends", "BACKOFF", "FATAL")
    found = {each.name: each for each in supervisor.processes_of(supervised)}
    assert "Exited too quickly" in found["ends"].note


def test_unknown_program_is_refused_by_name(supervised: Layout) -> None:
    with pytest.raises(CommandError, match="nobody"):
        supervisor.start_programs(supervised, ["nobody"])


def test_supervisor_without_a_configuration_says_where_to_look(layout: Layout) -> None:
    layout.supervisor_conf.write_text("[supervisord\n")

    with pytest.raises(CommandError, match="supervisord did not start"):
        supervisor.start(layout)

    assert not supervisor.answers(layout)


def test_down_leaves_no_process_and_says_whether_there_was_one(supervised: Layout) -> None:
    shop = NativeRuntime(supervised)
    supervisor.start_programs(supervised, ["waits", "stubborn"])
    is_in(supervised, "stubborn", "RUNNING")

    assert shop.down()

    assert processes.of_stack(supervised) == set()
    assert not shop.is_running()
    assert not shop.down()


def test_every_process_of_the_shop_has_a_program(layout: Layout) -> None:
    found = programs.services(layout)

    assert {each.name for each in found} == {"gateway", "mailsink", *PROCESSES}
    for each in found:
        # With the variables of its own service, none of another's secrets.
        assert each.command[2:4] == ["run", each.name.partition("-")[0]]
