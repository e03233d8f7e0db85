import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from native import processes
from native.layout import Layout

SLEEPER = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"


@pytest.fixture
def family(layout: Layout) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the stack with a child, in its own session as if its supervisor were gone."""
    marked = os.environ | {processes.MARK: str(layout.state)}
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], env=marked, stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        yield process
        process.kill()


def of_stack_with(layout: Layout, count: int) -> set[int]:
    deadline = time.monotonic() + 10
    while len(found := processes.of_stack(layout)) < count:
        assert time.monotonic() < deadline, found
    return found


def test_of_stack_finds_processes_nobody_watches(
    layout: Layout, family: subprocess.Popen[bytes]
) -> None:
    found = of_stack_with(layout, 2)

    assert family.pid in found
    assert found == processes.descendants([family.pid])
    assert processes.memory(found) > 0


def test_of_stack_leaves_another_stack_alone(
    layout: Layout, family: subprocess.Popen[bytes]
) -> None:
    of_stack_with(layout, 2)

    assert processes.of_stack(Layout(layout.state / "other")) == set()


def test_end_leaves_nothing(layout: Layout, family: subprocess.Popen[bytes]) -> None:
    found = of_stack_with(layout, 2)

    assert processes.end(layout) == 2

    assert processes.of_stack(layout) == set()
    assert not found & set(processes.living())
