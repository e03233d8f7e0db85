"""Background jobs of orders (servicekit's tests have what all services' jobs do)."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from orders import tasks
from orders.celery import app
from orders.models import Order
from orders.services import settlement
from servicekit.models import Heartbeat, OutboxEvent
from servicekit.testing.client import Caller, decoded
from tests.factories import make_order


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


def test_every_scheduled_task_is_there() -> None:
    app.loader.import_default_modules()

    tasks_of_the_schedule = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert tasks_of_the_schedule == {
        "orders.ask_payment_provider",
        "orders.expire_overdue_orders",
        "orders.forget_customers",
        "servicekit.purge",
    }
    assert tasks_of_the_schedule <= set(app.tasks)


def test_sweep_is_due_every_five_seconds_and_waits_no_longer() -> None:
    entry = app.conf.beat_schedule["orders.expire_overdue_orders"]

    assert entry["schedule"].run_every == timedelta(seconds=5)
    assert entry["options"] == {"expiration": 5.0}
