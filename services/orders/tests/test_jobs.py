"""Background jobs: their broker, their times, what they do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from orders import tasks
from orders.celery import Scheduler, app
from orders.models import Order
from orders.services import settlement
from servicekit.models import Heartbeat, OutboxEvent
from servicekit.operations import heartbeats
from servicekit.testing.client import Caller, decoded
from servicekit.testing.waiting import wait_until
from tests.factories import make_order

SERVICE = Path(__file__).parents[1]


@pytest.mark.django_db
def test_sweep_expires_overdue_orders() -> None:
    order = make_order(deadline=timezone.now() - timedelta(seconds=1))

    assert tasks.expire_overdue_orders() == 1

    assert Order.objects.get(pk=order.pk).status == "expired"


@pytest.mark.django_db
def test_command_sweeps_until_nothing_is_overdue(capsys: pytest.CaptureFixture[str]) -> None:
    make_order(deadline=timezone.now() - timedelta(seconds=1))

    call_command("expire_orders")

    assert "1" in capsys.readouterr().out
    assert Order.objects.get().status == "expired"


@pytest.fixture
def overdue() -> int:
    """Many times as many orders as one statement expires, all past their deadline."""
    number = 10_000
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO orders
                (id, user_id, status, currency, total, version, placed_at, deadline)
            SELECT gen_random_uuid(), gen_random_uuid(), 'pending', 'GBP', 1, 1,
                now(), now() - interval '61 s'
            FROM generate_series(1, %s)""",
            [number],
        )
    return number


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("overdue")
def test_jobs_of_a_minute_expire_ten_thousand_orders() -> None:
    expired = [tasks.expire_overdue_orders() for _ in range(60 // 5)]

    assert sum(expired) == 10_000
    assert not Order.objects.filter(status="pending").exists()
    assert OutboxEvent.objects.filter(type="orders.order_expired.v1").count() == 10_000


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("overdue")
def test_sweep_ends_in_time_for_the_next_one() -> None:
    assert settlement.expire_all_overdue(seconds=0) == settlement.EXPIRY_BATCH


@pytest.mark.django_db(transaction=True)
def test_sweep_looks_at_overdue_orders_only() -> None:
    """Found by the index: an order that has time left costs the sweep nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {settlement.OVERDUE}", [1])
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")

    assert "Index Cond: (deadline < statement_timestamp())" in plan


def readiness() -> dict[str, Any]:
    body: dict[str, Any] = decoded(Caller().get("/readyz"))
    return body


@pytest.mark.django_db(transaction=True)
def test_worker_that_does_no_job_is_missed() -> None:
    for process in ("relay", "consumer"):
        Heartbeat.objects.create(process=process, beat_at=timezone.now())

    assert "no sign of life from worker" in readiness()["checks"]["processes"]


@pytest.mark.django_db(transaction=True)
def test_job_is_the_sign_of_life_of_the_worker() -> None:
    def is_alive_after_a_job() -> bool:
        tasks.expire_overdue_orders()  # writes at most every two seconds: an earlier test may just have
        return heartbeats.stale(["worker"]) == []

    wait_until(is_alive_after_a_job)


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "late"), [(-5, False), (5, False), (55, False), (65, True)])
def test_order_that_stays_overdue_degrades_readiness(seconds: int, late: bool) -> None:
    make_order(deadline=timezone.now() - timedelta(seconds=seconds))

    finding = readiness()["checks"]["overdue"]

    assert ("is the worker running?" in finding) is late
    assert (finding == "ok") is not late


@pytest.mark.django_db
def test_decided_orders_are_not_overdue() -> None:
    now = timezone.now()
    make_order(deadline=now - timedelta(hours=1), status="confirmed", settled_at=now)

    assert readiness()["checks"]["overdue"] == "ok"


@pytest.mark.django_db
def test_gauges_tell_how_many_are_overdue_and_since_when() -> None:
    for seconds in (300, 20, -60):
        make_order(deadline=timezone.now() - timedelta(seconds=seconds))

    text = Caller().get("/metrics").content.decode()

    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(lines["souk_orders_overdue_pending"]) == 2
    assert 299 < float(lines["souk_orders_oldest_overdue_seconds"]) < 360


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
    entry = Scheduler(app).schedule["expire-overdue-orders"]
    assert not entry.is_due().is_due
    monkeypatch.setattr(app, "now", lambda: datetime.now(UTC) - timedelta(hours=1))

    pass_time(5)

    assert entry.is_due().is_due


def test_clock_that_is_set_forward_does_not_hurry_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Scheduler(app).schedule["expire-overdue-orders"]

    monkeypatch.setattr(app, "now", lambda: datetime.now(UTC) + timedelta(hours=1))

    assert not entry.is_due().is_due


def test_scheduler_starts_our_jobs_and_no_other() -> None:
    """Celery adds one of its own by the wall clock; among ours, by another clock, it would never be due or always."""
    assert set(Scheduler(app).schedule) == set(settings.CELERY["beat_schedule"])


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
        job = jobs.default_channel.basic_get("orders.celery", no_ack=True)
    assert job.headers["task"] == "orders.expire_overdue_orders"
    # The broker drops it in time; the worker, whose clock may be ahead of beat's, does not judge.
    assert (job.properties["expiration"], job.headers["expires"]) == ("5000", None)


def test_beat_gives_none_when_the_broker_did_not_take_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its health check must tell that jobs are not sent, however busily it looks at the schedule."""
    monkeypatch.setenv("HEARTBEAT_DIR", str(tmp_path))
    scheduler = Scheduler(app)
    entry = scheduler.schedule["expire-overdue-orders"]
    with app.connection_for_write("amqp://nobody@127.0.0.1:1//") as away:
        away.transport_options = {"max_retries": 0}
        scheduler.apply_entry(entry, producer=app.amqp.Producer(away))

    assert list(tmp_path.iterdir()) == []


def test_every_scheduled_task_is_there() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_command_line_uses_the_jobs_broker_not_the_events() -> None:
    """`celery` takes BROKER_URL from the environment by itself; the events' virtual host would refuse it."""
    script = "import sys; sys.argv = ['celery', '-A', 'orders', 'report']; from celery.__main__ import main; main()"
    probe = f"{script.removesuffix('main()')}\ntry:\n    main()\nexcept SystemExit:\n    from orders.celery import app\n    print('USES', app.connection_for_write().virtual_host)"
    jobs = settings.CELERY["broker_url"].rpartition("/")[0] + "/orders-jobs"
    environment = {
        **os.environ,
        "BROKER_URL": "amqp://nobody@127.0.0.1:1/souk",
        "JOBS_BROKER_URL": jobs,
    }

    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=SERVICE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "USES orders-jobs" in done.stdout, done.stdout[-500:] + done.stderr[-500:]
