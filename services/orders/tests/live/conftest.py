"""The `live` process as in production, on the test's own database."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from servicekit.testing.processes import running_process
from servicekit.testing.tokens import jwks
from servicekit.testing.waiting import wait_until
from tests.live.client import Live

StartLive = Callable[..., Any]


@pytest.fixture(scope="session")
def start_live(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> StartLive:
    """Runs a `live` process with these variables, for the length of a block."""
    keys = tmp_path_factory.mktemp("live") / "jwks.json"
    keys.write_text(json.dumps(jwks()))

    @contextmanager
    def start(**variables: str) -> Iterator[Live]:
        address = f"127.0.0.1:{free_port()}"
        fixed = {"LIVE_BIND": address, "JWKS_CACHE_FILE": str(keys)}
        fixed["REDIS_URL"] = os.environ["TEST_REDIS_URL"]
        with running_process("manage.py", "live", **{**fixed, **variables}) as process:
            live = Live(address, process)
            wait_until(lambda: answers(live), timeout_seconds=120)
            yield live

    return start


@pytest.fixture(scope="module")
def live(start_live: StartLive, django_db_blocker: Any) -> Iterator[Live]:
    """A process that the tests of a file share."""
    with start_live() as running:
        yield running


@pytest.fixture
def news(settings: Any) -> None:
    """Changes that the test makes are announced, as those of the services are."""
    settings.REDIS_URL = os.environ["TEST_REDIS_URL"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answers(live: Live) -> bool:
    try:
        return requests.get(f"http://{live.address}/livez", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these has a real database, which the process sees."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.django_db(transaction=True))
