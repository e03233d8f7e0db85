"""Background jobs of a service: its Celery app, when jobs are due, and the worker's signs of life.

A service's celery.py is `app = celery_app("orders")`; `celery -A orders worker` runs the jobs and
`celery -A orders beat` starts them on time (docs/adr/0078-housekeeping-is-celerys.md).
"""

import contextlib
import logging
import os
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from celery import Celery, signals
from celery import beat as celery_beat
from celery.schedules import schedule
from kombu.exceptions import OperationalError

from servicekit.conf import kit_settings

logger = logging.getLogger(__name__)

#: For a sender whom a client waits for: one more connection, at once, and no other.
ONCE_MORE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
#: Whoever starts jobs has a sweep that finds what was not done.
KEPT_SECONDS = 600.0
#: What every service does beside its own jobs. It is the sign of life of beat and worker, too,
#: which are missed after 15 s.
HOUSEKEEPING = {"servicekit.purge": 5.0}


def celery_app(service: str) -> Celery:
    """Return the Celery app of the service, which is also the name of its package."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{service}.settings")
    # As relay and consumer: Django's checks load every view, which takes 30 MiB and a second here.
    # `make lint` runs them.
    os.environ.setdefault("CELERY_SKIP_CHECKS", "true")
    app = Celery(service)
    # Not config_from_object, which would find BROKER_URL, the events' address, under an old name of
    # its own. The command line takes the same name from the environment; the variable that it hands
    # on is therefore set again here.
    app.add_defaults(_configuration)
    os.environ["CELERY_BROKER_URL"] = kit_settings.jobs_broker_url
    app.autodiscover_tasks([service, "servicekit"])
    return app


def _configuration() -> dict[str, Any]:
    # Jobs have a virtual host of their own: Celery publishes through the default exchange, which
    # among the events would be every queue.
    return {
        "broker_url": kit_settings.jobs_broker_url,
        "task_default_queue": f"{kit_settings.service}.celery",
        "task_ignore_result": True,
        "result_expires": None,
        "task_acks_late": True,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "broker_connection_retry_on_startup": True,
        "timezone": "UTC",
        "beat_scheduler": "servicekit.operations.jobs:Scheduler",
        "beat_schedule": {
            task: _entry(task, seconds)
            for task, seconds in {**HOUSEKEEPING, **kit_settings.jobs}.items()
        },
    }


def _entry(task: str, seconds: float) -> dict[str, Any]:
    # The broker drops a job that nobody took before the next is due; with `expires` the worker's
    # clock would judge beat's.
    return {"task": task, "schedule": every(seconds), "options": {"expiration": seconds}}


def send(task: str, *arguments: str) -> bool:
    """Have a worker do a job, by its name; return whether the broker was reached.

    Never in a transaction: the worker may be quicker than the commit.
    """
    options = {"retry": True, "retry_policy": ONCE_MORE, "expiration": KEPT_SECONDS}
    try:
        _sender(kit_settings.jobs_broker_url).send_task(task, arguments, **options)
    except OperationalError as error:
        logger.warning("job was not sent", extra={"job": task, "reason": str(error)[:200]})
        return False
    return True


@cache
def _sender(url: str) -> Celery:
    """Return an app that starts jobs and does none, with connections of its own."""
    app = Celery(kit_settings.service, set_as_current=False)
    # Not broker_url, before which a variable goes that the command line sets.
    own = {"broker_write_url": url, "broker_transport_options": ONCE_MORE}
    app.add_defaults(lambda: {**_configuration(), **own})
    return app


def monotonic_now() -> datetime:
    """Return the machine's monotonic clock as Celery wants it, a datetime; it means nothing to
    another process.
    """
    return datetime.fromtimestamp(time.monotonic(), UTC)


def every(seconds: float) -> schedule:
    """Return a schedule that setting the wall clock neither stops nor hurries
    (docs/adr/0052-jobs-are-due-by-the-monotonic-clock.md).

    Celery's own takes the wall clock: set back by an hour, it starts nothing for an hour.
    """
    return schedule(run_every=seconds, nowfun=monotonic_now)


class Scheduler(celery_beat.Scheduler):  # type: ignore[misc]
    """Celery's own in memory, which gives a sign of life with each job that the broker took.

    Not the persistent scheduler: times of a monotonic clock mean nothing to the next process.
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
