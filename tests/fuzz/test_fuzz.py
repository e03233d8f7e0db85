"""Whatever bytes a stranger sends: an answer of the contract, never a 5xx, never HTML.

    make fuzz REQUESTS=50000 ARGS="--seed 7"

A fault is printed with its number: `--seed 7 --first NUMBER --requests 1` sends it again. What was
mended is kept in kept.jsonl.
"""

import asyncio

import pytest
from campaign import kept_requests, method_of, request_for, run
from verdict import fault
from wire import client_address, exchange


def test_no_bytes_are_answered_badly(port, people, pytestconfig):
    seed, first = pytestconfig.getoption("seed"), pytestconfig.getoption("first")
    numbers = range(first, first + pytestconfig.getoption("requests"))

    outcome = asyncio.run(
        run(port, numbers, lambda number: request_for(seed, number, people.scene(number)))
    )

    print(
        f"seed {seed}: {sum(outcome.statuses.values())} answers:"
        f" {dict(sorted(outcome.statuses.items()))}"
    )
    assert not outcome.faults, "\n".join(outcome.faults)


def test_kept_inputs_are_answered_well(port, people):
    scene = people.scene(0)
    for number, (name, data) in enumerate(kept_requests(scene)):
        method = method_of(data)

        received = asyncio.run(
            exchange(port, data, source=client_address(number), method=method, patient=True)
        )

        assert not (wrong := fault(received, method=method, may_be_silent=False)), (
            f"{name}: {wrong}"
        )


@pytest.mark.parametrize("service", ["products"])
def test_a_stopped_service_is_said_to_be_away(port, people, stack, service):
    numbers = range(1_000_000, 1_000_200)
    scenes = {number: people.scene(number) for number in numbers}

    with stack.stopped(f"{service}-web"):
        outcome = asyncio.run(
            run(
                port,
                numbers,
                lambda number: request_for(1, number, scenes[number]),
                away=frozenset({502, 503, 504}),
            )
        )

    print(dict(sorted(outcome.statuses.items())))
    assert outcome.statuses[502] + outcome.statuses[503] + outcome.statuses[504] > 0
    assert not outcome.faults, "\n".join(outcome.faults)
