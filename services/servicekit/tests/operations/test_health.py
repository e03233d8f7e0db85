"""Is this service well? What the probes say when each thing that it needs is away."""

import socket
import time
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from servicekit.operations import health
from servicekit.testing.client import Caller, decoded
from servicekit.testing.faults import database_away
from servicekit.testing.fixtures import SetKit
from tests.operations.helpers import ready
from tests.project import checks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("all_alive")
def test_service_that_has_everything_is_ready() -> None:
    assert ready() == {
        "status": "ready",
        "checks": dict.fromkeys(
            ["database", "migrations", "broker", "processes", "outbox", "dead_letters"], "ok"
        ),
    }


@pytest.mark.usefixtures("no_database", "broker_away")
def test_process_lives_though_all_else_is_away() -> None:
    """A restart would mend nothing."""
    answer = Caller().get("/livez")

    assert decoded(answer) == {"status": "alive"}


@pytest.mark.usefixtures("no_database")
def test_service_without_its_database_is_not_ready() -> None:
    started = time.monotonic()

    body = ready(503)

    assert body["status"] == "not ready"
    assert body["checks"]["database"] != "ok"
    assert body["checks"]["broker"] == "ok"
    assert time.monotonic() - started < 5, "a probe does not wait for each check's timeout in turn"


def test_service_is_ready_again_when_its_database_is() -> None:
    with database_away():
        ready(503)

    assert ready()["checks"]["database"] == "ok"


@pytest.fixture
def latest() -> tuple[str, str]:
    """The kit's latest migration."""
    (leaf,) = MigrationLoader(connection).graph.leaf_nodes("servicekit")
    return leaf


@pytest.fixture
def pending_migration(latest: tuple[str, str]) -> Iterator[None]:
    """A migration that this code has and the database has not."""
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied(*latest)
    yield
    recorder.record_applied(*latest)


@pytest.mark.usefixtures("all_alive", "pending_migration")
def test_service_with_pending_migrations_is_not_ready() -> None:
    body = ready(503)

    assert body["status"] == "not ready"
    assert "1 pending" in body["checks"]["migrations"]
    assert "manage.py migrate" in body["checks"]["migrations"]


@pytest.mark.usefixtures("all_alive")
def test_service_is_ready_once_migrated(latest: tuple[str, str]) -> None:
    MigrationRecorder(connection).record_unapplied(*latest)
    ready(503)

    MigrationRecorder(connection).record_applied(*latest)

    assert ready()["status"] == "ready"


@pytest.mark.usefixtures("all_alive", "broker_away")
def test_service_without_its_broker_is_degraded() -> None:
    """Orders are still taken: events wait in the outbox."""
    body = ready(200)

    assert body["status"] == "degraded"
    assert "away" in body["checks"]["broker"]
    assert "hunter2" not in str(body)


@pytest.mark.usefixtures("all_alive")
def test_silent_broker_is_given_up_in_time(set_kit: SetKit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        set_kit(broker_url=f"amqp://souk:x@127.0.0.1:{listener.getsockname()[1]}//")
        started = time.monotonic()

        body = ready(200)

    assert body["status"] == "degraded"
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("all_alive")
def test_broker_is_asked_with_pauses(set_kit: SetKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes come every second from several places; each connection costs the broker work."""
    assert ready()["status"] == "ready"
    set_kit(broker_url="amqp://nobody@127.0.0.1:1/none")
    assert ready()["checks"]["broker"] == "ok"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + health.BROKER_CHECK_SECONDS + 1)

    assert ready()["checks"]["broker"] != "ok"


@pytest.mark.usefixtures("all_alive")
@pytest.mark.parametrize(("finding", "status"), [("", "ready"), ("late: hurry", "degraded")])
def test_service_adds_checks_of_its_own(set_kit: SetKit, finding: str, status: str) -> None:
    set_kit(readiness_checks={"own": "tests.project.checks.own"})
    checks.finding = finding

    body = ready()

    assert (body["status"], body["checks"]["own"]) == (status, finding or "ok")


def test_service_adds_gauges_of_its_own(set_kit: SetKit) -> None:
    set_kit(gauges=("tests.project.checks.gauges",))

    text = Caller().get("/metrics").content.decode()

    assert "souk_test_depth 7.0" in text.splitlines()
    assert "souk_outbox_unsent 0.0" in text.splitlines()


@pytest.mark.usefixtures("no_database")
def test_metrics_are_shown_without_the_database() -> None:
    """No number is better than a wrong one: the gauges of the database are left out."""
    answer = Caller().get("/metrics")

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "souk_http_request_seconds" in text
    assert "souk_outbox_unsent" not in text
