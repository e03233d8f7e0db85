"""Fixtures of the probes: what is away, and which processes run."""

from collections.abc import Iterator

import pytest

from servicekit.operations import health
from servicekit.testing.faults import database_away
from servicekit.testing.fixtures import SetKit
from tests.operations.helpers import beat


@pytest.fixture(autouse=True)
def ask_anew() -> Iterator[None]:
    health.reset_findings()
    yield
    health.reset_findings()


@pytest.fixture
def no_database() -> Iterator[None]:
    with database_away():
        yield


@pytest.fixture
def broker_away(set_kit: SetKit) -> None:
    set_kit(broker_url="amqp://souk:hunter2@127.0.0.1:1/none")


@pytest.fixture
def all_alive() -> None:
    beat("relay", "consumer")
