"""Fixtures of the probes: what is away, and which processes run."""

from collections.abc import Iterator
from typing import Any

import pytest

from servicekit.operations import health
from servicekit.testing.faults import database_away
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
def broker_away(settings: Any) -> None:
    settings.BROKER_URL = "amqp://souk:hunter2@127.0.0.1:1/none"


@pytest.fixture
def all_alive() -> None:
    beat("relay", "consumer")
