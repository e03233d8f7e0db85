"""The containers start in any order, each without waiting for what it needs."""

import os
import random
import subprocess
import time

import pytest

from compose import engine

pytestmark = pytest.mark.usefixtures("whole_again")
#: SOUK_STARTS=10 takes five minutes more: CI does two.
STARTS = int(os.environ.get("SOUK_STARTS", "2"))
START_SECONDS = 90


@pytest.mark.parametrize("seed", range(STARTS))
def test_random_order_becomes_healthy_without_help(containers, seed):
    containers.compose("down", *(["--volumes"] if seed % 2 == 0 else []))
    containers.compose("up", "--no-start")
    ids = containers.compose("ps", "--all", "--quiet").split()
    random.Random(seed).shuffle(ids)

    started = time.monotonic()
    for each in ids:
        subprocess.run(["docker", "start", each], check=True, capture_output=True)
    containers.await_well(START_SECONDS)
    print(f"start {seed}: healthy after {time.monotonic() - started:.0f} s")

    assert all(each["RestartCount"] <= 5 for each in engine.containers())


def test_down_in_the_middle_of_everything_loses_nothing(containers, load):
    with load:
        time.sleep(5)
        containers.compose("down")
        containers.up()

    assert load.made > 0
    assert not load.lost, str(load)
    containers.audit()
