"""Processes without a web server show their counters on a port of their own, where one is set."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from servicekit.models import OutboxEvent
from servicekit.testing.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
KIT = Path(__file__).parents[2]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def process(*words: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of the test project on this test's database."""
    default = connection.settings_dict
    url = f"postgres://{default['USER']}:{default['PASSWORD']}@{default['HOST']}:{default['PORT']}/{default['NAME']}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.project.settings",
        "DATABASE_URL": url,
    }
    command = [sys.executable, "-m", "django", *words]
    running = subprocess.Popen(command, cwd=KIT, env={**environment, **variables})
    try:
        yield running
    finally:
        running.terminate()
        assert running.wait(20) == 0


def counters(port: int) -> dict[str, float]:
    """What the port says; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


@pytest.mark.parametrize("has_folder", [False, True], ids=["alone", "folder"])
def test_counters_of_the_relay_are_read_from_its_port(
    broker_url: str, port: int, publish: Callable[..., None], tmp_path: Path, has_folder: bool
) -> None:
    folder = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)} if has_folder else {}
    publish("a", "b", "c")

    with process("relay", METRICS_PORT=str(port), TEST_BROKER_URL=broker_url, **folder):
        wait_until(lambda: counters(port).get("souk_events_published_total") == 3)

    assert not OutboxEvent.objects.filter(sent_at=None).exists()


def test_consumer_shows_its_counters(broker_url: str, port: int) -> None:
    with process("consume", METRICS_PORT=str(port), TEST_BROKER_URL=broker_url):
        wait_until(lambda: "souk_events_published_total" in counters(port))


def test_without_the_variable_no_port_is_opened(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    from servicekit.operations import metrics

    monkeypatch.delenv("METRICS_PORT", raising=False)
    metrics.serve()

    assert counters(port) == {}
