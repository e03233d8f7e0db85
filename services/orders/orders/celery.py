"""Background jobs: `celery -A orders worker` runs them, `celery -A orders beat` starts them on time."""

import os
from typing import Any

from celery import Celery
from celery.beat import PersistentScheduler
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders.settings")


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """Celery's own, which also gives a sign of life at each look at the schedule (every five seconds at most)."""

    def tick(self, *args: Any, **options: Any) -> Any:
        from servicekit import heartbeats  # models, which are loaded after this module

        pause = super().tick(*args, **options)
        heartbeats.touch("beat")
        return pause


app = Celery("orders")
# Not config_from_object, which would find settings.BROKER_URL, the events' address, under an old name of its own. The command line
# takes the same name from the environment; the variable that it hands on is therefore set again here.
app.add_defaults(lambda: settings.CELERY)
os.environ["CELERY_BROKER_URL"] = str(settings.CELERY["broker_url"])
app.autodiscover_tasks(["orders"])
