"""Background jobs: `celery -A orders worker` runs them, `celery -A orders beat` starts them on time."""

import contextlib
import os
from typing import Any

from celery import Celery, signals
from celery import beat as celery_beat
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders.settings")


class Scheduler(celery_beat.Scheduler):  # type: ignore[misc]
    """Celery's own in memory, which gives a sign of life with each job that the broker took.

    Not the persistent one: times of a monotonic clock (orders.schedules) mean nothing to the next process.
    """

    def apply_async(self, *args: Any, **options: Any) -> Any:
        from servicekit.operations import heartbeats  # models, which are loaded after this module

        result = super().apply_async(*args, **options)
        heartbeats.touch("beat")
        return result


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def serve_metrics(**_arguments: Any) -> None:
    """Celery calls it before the worker begins."""
    from servicekit.operations import metrics

    metrics.serve()


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def give_sign_of_life(**_arguments: Any) -> None:
    """Celery calls it when the worker takes jobs: the first may be seconds away."""
    from django.db import Error

    from servicekit.operations import heartbeats

    with contextlib.suppress(Error):
        heartbeats.beat("worker")


app = Celery("orders")
# Not config_from_object, which would find settings.BROKER_URL, the events' address, under an old name of its own. The command line
# takes the same name from the environment; the variable that it hands on is therefore set again here.
app.add_defaults(lambda: settings.CELERY)
os.environ["CELERY_BROKER_URL"] = str(settings.CELERY["broker_url"])
app.autodiscover_tasks(["orders"])
