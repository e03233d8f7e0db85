"""Erlang's port mapper, which RabbitMQ may have started before we do."""

import os
import signal
import subprocess
import time
from collections.abc import Callable

from native import ports, rabbitmq


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process is the mapper by now, and not the shell that waits."""
    with open(f"/proc/{process.pid}/comm") as file:
        return file.read().strip() == "epmd"


def children_of(process: subprocess.Popen[bytes]) -> str:
    done = subprocess.run(
        ["ps", "-o", "comm=", "--ppid", str(process.pid)], capture_output=True, text=True
    )
    return done.stdout


def test_mapper_waits_while_another_does_its_work_and_follows_it() -> None:
    variables = {
        **os.environ,
        "ERL_EPMD_PORT": str(ports.any_free(set())),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }

    def answers() -> bool:
        done = subprocess.run([rabbitmq.epmd(), "-names"], env=variables, capture_output=True)
        return done.returncode == 0

    other = subprocess.Popen([rabbitmq.epmd()], env=variables)
    wait_until(answers)
    ours = subprocess.Popen(rabbitmq.epmd_command(), env=variables, start_new_session=True)
    try:
        wait_until(lambda: "sleep" in children_of(ours))
        assert ours.poll() is None

        other.kill()
        other.wait()

        wait_until(lambda: ours.poll() is None and listens(ours) and answers())
    finally:
        other.kill()
        os.killpg(ours.pid, signal.SIGKILL)
        other.wait()
        ours.wait()
