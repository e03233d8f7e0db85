"""Background jobs of every service: their broker, their times, purges, signs of life."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from servicekit import tasks
from servicekit.conf import kit_settings
from servicekit.database import direct_connection
from servicekit.models import InboxEvent
from servicekit.operations import heartbeats, purge
from servicekit.operations.jobs import Scheduler, send
from servicekit.testing.faults import database_away
from servicekit.testing.fixtures import BrokerAdmin, SetKit
from servicekit.testing.waiting import wait_until
from tests.project.celery import app

KIT = Path(__file__).parents[2]
PURGE = "servicekit.purge"
QUEUE = f"{kit_settings.service}.celery"


def fill_inbox(rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at)"
            " SELECT 'q', gen_random_uuid(), 't', '', now() - interval '31 days'"
            " FROM generate_series(1, %s)",
            [rows],
        )


@contextmanager
def celery(*words: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery process of the test project on this test's database."""
    default = connection.settings_dict
    address = f"{default['HOST']}:{default['PORT']}/{default['NAME']}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.project.settings",
        "DATABASE_URL": f"postgres://{default['USER']}:{default['PASSWORD']}@{address}",
        **variables,
    }
    command = [sys.executable, "-m", "celery", "-A", "tests.project", *words]
    running = subprocess.Popen(command, cwd=KIT, env=environment)
    try:
        yield running
    finally:
        running.terminate()
        assert running.wait(20) == 0


@pytest.mark.django_db(transaction=True)
def test_beat_and_worker_purge_and_give_signs_of_life(broker_url: str, tmp_path: Path) -> None:
    fill_inbox(7)
    variables = {"TEST_BROKER_URL": broker_url, "HEARTBEAT_DIR": str(tmp_path)}

    with (
        celery("worker", "--pool", "solo", "--without-gossip", "--without-mingle", **variables),
        celery("beat", "--pidfile", "", **variables),
    ):
        # Two processes start, and beat lets five seconds pass before the first job.
        wait_until(lambda: not InboxEvent.objects.exists(), timeout_seconds=90)
        wait_until(lambda: heartbeats.stale(["worker"]) == [])

    assert {file.name for file in tmp_path.iterdir()} == {"worker", "beat"}


@pytest.mark.django_db(transaction=True)
def test_job_purges_and_is_the_sign_of_life_of_the_worker() -> None:
    fill_inbox(3)

    assert tasks.purge_old_rows() == 3

    # It is written at most every two seconds: an earlier test may just have.
    wait_until(lambda: tasks.purge_old_rows() == 0 and heartbeats.stale(["worker"]) == [])


@pytest.mark.django_db(transaction=True)
def test_job_leaves_the_round_to_another_worker() -> None:
    fill_inbox(3)

    with direct_connection() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [purge.LOCK])
        assert tasks.purge_old_rows() == 0
        other.execute("SELECT pg_advisory_unlock(%s)", [purge.LOCK])

    assert tasks.purge_old_rows() == 3


@pytest.mark.django_db(transaction=True)
def test_job_waits_for_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    fill_inbox(3)

    with database_away():
        assert tasks.purge_old_rows() == 0

    assert "purge waits" in caplog.messages
    connection.close()
    assert tasks.purge_old_rows() == 3


def test_jobs_of_the_service_are_scheduled_beside_the_kits(set_kit: SetKit) -> None:
    from servicekit.operations.jobs import celery_app

    set_kit(jobs={"project.sweep": 60.0})

    schedule = celery_app("tests.project").conf.beat_schedule

    assert set(schedule) == {PURGE, "project.sweep"}
    assert schedule["project.sweep"]["schedule"].run_every == timedelta(seconds=60)
    assert schedule["project.sweep"]["options"] == {"expiration": 60.0}


def test_every_job_of_the_kit_is_there() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the monotonic clock forward, as time does."""
    ahead, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + ahead[0])

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward


def test_clock_that_is_set_back_does_not_stop_the_job(
    pass_time: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Celery's own schedule would not be due for an hour."""
    entry = Scheduler(app).schedule[PURGE]
    assert not entry.is_due().is_due
    monkeypatch.setattr(app, "now", lambda: datetime.now(UTC) - timedelta(hours=1))

    pass_time(5)

    assert entry.is_due().is_due


def test_clock_that_is_set_forward_does_not_hurry_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Scheduler(app).schedule[PURGE]

    monkeypatch.setattr(app, "now", lambda: datetime.now(UTC) + timedelta(hours=1))

    assert not entry.is_due().is_due


def test_scheduler_starts_our_jobs_and_no_other() -> None:
    """Celery adds a job by the wall clock; among ours, which take another clock, it would never be
    due or always.
    """
    assert set(Scheduler(app).schedule) == {PURGE}


def test_beat_gives_a_sign_of_life_with_each_job_it_sends(
    broker_url: str,
    tmp_path: Path,
    pass_time: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEARTBEAT_DIR", str(tmp_path))
    scheduler = Scheduler(app)
    with app.connection_for_write(broker_url) as jobs:
        scheduler.connection = jobs
        scheduler.tick()
        assert not (tmp_path / "beat").exists(), "it only looked"

        pass_time(5.1)
        scheduler.tick()

        assert (tmp_path / "beat").exists()
        job = jobs.default_channel.basic_get("project.celery", no_ack=True)
    assert job.headers["task"] == PURGE
    # The broker drops it in time; the worker, whose clock may be ahead of beat's, does not judge.
    assert (job.properties["expiration"], job.headers["expires"]) == ("5000", None)


def test_beat_gives_none_when_the_broker_did_not_take_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its health check must tell that no job is sent, however busily it reads the schedule."""
    monkeypatch.setenv("HEARTBEAT_DIR", str(tmp_path))
    scheduler = Scheduler(app)
    entry = scheduler.schedule[PURGE]
    with app.connection_for_write("amqp://nobody@127.0.0.1:1//") as away:
        away.transport_options = {"max_retries": 0}
        scheduler.apply_entry(entry, producer=app.amqp.Producer(away))

    assert list(tmp_path.iterdir()) == []


def test_command_line_uses_the_jobs_broker_not_the_events() -> None:
    """`celery` takes BROKER_URL from the environment by itself; the events' virtual host would
    refuse it.
    """
    script = """
import sys
from celery.__main__ import main
sys.argv = ["celery", "-A", "tests.project", "report"]
try:
    main()
except SystemExit:
    from tests.project.celery import app
    print("USES", app.connection_for_write().virtual_host)
"""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.project.settings",
        "TEST_BROKER_URL": "amqp://souk@127.0.0.1:1/project-jobs",
        "BROKER_URL": "amqp://souk@127.0.0.1:1/souk",
    }

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=KIT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "USES project-jobs" in done.stdout, done.stdout[-500:] + done.stderr[-500:]


def test_job_is_sent_to_the_broker_and_kept_until_a_worker_comes(
    broker_url: str, vhost: str, broker_admin: BrokerAdmin, set_kit: SetKit
) -> None:
    set_kit(jobs_broker_url=broker_url)

    assert send("project.work", "one", "two")

    options = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    (job,) = broker_admin.call("POST", f"/queues/{vhost}/{QUEUE}/get", options)
    assert job["properties"]["headers"]["task"] == "project.work"
    assert '["one", "two"]' in job["payload"]
    assert job["properties"]["expiration"] == "600000"


def test_job_is_not_sent_while_the_broker_is_away(set_kit: SetKit) -> None:
    set_kit(jobs_broker_url="amqp://nobody@127.0.0.1:1/none")

    assert not send("project.work", "one")
