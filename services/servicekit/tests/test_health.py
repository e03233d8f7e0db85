"""Is this service well? What the probes say when each thing it needs is away."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.models import DeadLetter, Heartbeat, OutboxEvent
from servicekit.operations import health, heartbeats
from servicekit.testing.client import Caller, decoded
from servicekit.testing.faults import database_away
from tests.project import checks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ask_anew() -> Iterator[None]:
    health.forget()
    yield
    health.forget()


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


def beat(*processes: str, age_seconds: float = 0) -> None:
    for process in processes:
        moment = timezone.now() - timedelta(seconds=age_seconds)
        Heartbeat.objects.update_or_create(process=process, defaults={"beat_at": moment})


def event(age_seconds: float, **overrides: Any) -> None:
    OutboxEvent.objects.create(
        id=uuid7(), type="t", subject="s", sequence=1, data=b"",
        created_at=timezone.now() - timedelta(seconds=age_seconds), **overrides,
    )  # fmt: skip


def ready(status: int = 200) -> dict[str, Any]:
    body: dict[str, Any] = decoded(Caller().get("/readyz"), status)
    return body


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
def test_silent_broker_is_given_up_in_time(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.BROKER_URL = f"amqp://souk:x@127.0.0.1:{listener.getsockname()[1]}//"
        started = time.monotonic()

        body = ready(200)

    assert body["status"] == "degraded"
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("all_alive")
def test_broker_is_asked_with_pauses(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes come every second from several places; each connection costs the broker work."""
    assert ready()["status"] == "ready"
    settings.BROKER_URL = "amqp://nobody@127.0.0.1:1/none"
    assert ready()["checks"]["broker"] == "ok"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + health.BROKER_CHECK_SECONDS + 1)

    assert ready()["checks"]["broker"] != "ok"


@pytest.mark.parametrize(
    ("age_seconds", "status"),
    [(heartbeats.STALE_AFTER_SECONDS - 5, "ready"), (heartbeats.STALE_AFTER_SECONDS + 5, "degraded")],
)
def test_process_without_a_sign_of_life_is_missed(age_seconds: float, status: str) -> None:
    beat("relay")
    beat("consumer", age_seconds=age_seconds)

    body = ready()

    assert body["status"] == status
    assert ("consumer" in body["checks"]["processes"]) is (status == "degraded")
    assert "relay" not in body["checks"]["processes"]


def test_process_that_never_started_is_missed() -> None:
    assert "relay, consumer" in ready()["checks"]["processes"]


def test_expected_processes_are_named_in_settings(settings: Any) -> None:
    settings.EXPECTED_PROCESSES = ["worker"]
    beat("relay", "consumer")

    assert "worker" in ready()["checks"]["processes"]


def test_beat_is_a_sign_of_life(settings: Any) -> None:
    settings.EXPECTED_PROCESSES = [f"test-{uuid7()}"]
    assert heartbeats.stale(settings.EXPECTED_PROCESSES)

    heartbeats.beat(settings.EXPECTED_PROCESSES[0])

    assert heartbeats.stale(settings.EXPECTED_PROCESSES) == []


def test_beats_are_written_with_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    process, now = f"test-{uuid7()}", time.monotonic()
    moments = []
    for ahead in (0.0, 1.0, 1.9, 2.1):
        monkeypatch.setattr(time, "monotonic", lambda ahead=ahead: now + ahead)
        heartbeats.beat(process)
        moments.append(Heartbeat.objects.get(process=process).beat_at)

    assert moments[0] == moments[1] == moments[2] < moments[3]


@pytest.mark.usefixtures("all_alive")
@pytest.mark.parametrize(
    ("age_seconds", "overrides", "status"),
    [
        (health.OLD_EVENT_SECONDS - 10, {}, "ready"),
        (health.OLD_EVENT_SECONDS + 10, {}, "degraded"),
        (86_400, {"sent_at": timezone.now()}, "ready"),
        (86_400, {"parked_at": timezone.now(), "discarded_at": timezone.now()}, "ready"),
    ],
    ids=["young", "old", "sent", "discarded"],
)
def test_old_unsent_event_is_a_sign_of_trouble(
    age_seconds: float, overrides: dict[str, Any], status: str
) -> None:
    event(age_seconds, **overrides)

    body = ready()

    assert body["status"] == status
    assert ("is the relay running?" in body["checks"]["outbox"]) is (status == "degraded")


@pytest.mark.usefixtures("all_alive")
def test_parked_event_wants_attention() -> None:
    event(1, parked_at=timezone.now())

    body = ready()

    assert body["status"] == "degraded"
    assert body["checks"]["outbox"] == "1 parked: `make outbox` lists them"
    assert "souk_outbox_parked 1.0" in Caller().get("/metrics").content.decode()


@pytest.mark.usefixtures("all_alive")
def test_event_that_the_broker_refuses_is_named_with_its_reason() -> None:
    event(health.OLD_EVENT_SECONDS + 10, attempts=3, last_error="no queue takes it")

    assert "no queue takes it" in ready()["checks"]["outbox"]


def letter(state: str) -> None:
    DeadLetter.objects.create(
        queue="q", reason="r", body=b"", fingerprint=uuid7().bytes, received_at=timezone.now(), state=state
    )


@pytest.mark.usefixtures("all_alive")
def test_waiting_dead_letters_want_attention() -> None:
    for state in ("waiting", "waiting", "waiting", "redriven", "discarded"):
        letter(state)

    body = ready(200)

    assert body["status"] == "degraded"
    assert body["checks"]["dead_letters"] == "3 wait: `make deadletters` lists them"


@pytest.mark.usefixtures("all_alive")
def test_settled_dead_letters_want_none() -> None:
    letter("redriven")

    assert ready()["status"] == "ready"


@pytest.mark.usefixtures("all_alive")
@pytest.mark.parametrize(("finding", "status"), [("", "ready"), ("late: hurry", "degraded")])
def test_service_adds_checks_of_its_own(settings: Any, finding: str, status: str) -> None:
    settings.READINESS_CHECKS = {"own": "tests.project.checks.own"}
    checks.finding = finding

    body = ready()

    assert (body["status"], body["checks"]["own"]) == (status, finding or "ok")


def test_service_adds_gauges_of_its_own(settings: Any) -> None:
    settings.GAUGES = ["tests.project.checks.gauges"]

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


def test_metrics_count_what_waits() -> None:
    event(100)
    event(10)
    event(500, sent_at=timezone.now())

    lines = dict(
        line.rsplit(" ", 1)
        for line in Caller().get("/metrics").content.decode().splitlines()
        if line[0] != "#"
    )

    assert float(lines["souk_outbox_unsent"]) == 2
    assert 99 < float(lines["souk_outbox_oldest_age_seconds"]) < 200
    assert float(lines["souk_dead_letters_waiting"]) == 0
