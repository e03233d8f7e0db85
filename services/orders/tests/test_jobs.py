"""Background jobs: their broker, their times, what they do."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from orders import tasks
from orders.celery import app
from orders.models import Order
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


def test_every_scheduled_task_is_there() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_command_line_uses_the_jobs_broker_not_the_events() -> None:
    """`celery` takes BROKER_URL from the environment by itself; the events' virtual host would refuse it."""
    script = "import sys; sys.argv = ['celery', '-A', 'orders', 'report']; from celery.__main__ import main; main()"
    probe = f"{script.removesuffix('main()')}\ntry:\n    main()\nexcept SystemExit:\n    from orders.celery import app\n    print('USES', app.connection_for_write().virtual_host)"
    jobs = settings.CELERY["broker_url"].rpartition("/")[0] + "/orders-jobs"
    environment = {**os.environ, "BROKER_URL": "amqp://nobody@127.0.0.1:1/souk", "JOBS_BROKER_URL": jobs}

    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=SERVICE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "USES orders-jobs" in done.stdout, done.stdout[-500:] + done.stderr[-500:]
