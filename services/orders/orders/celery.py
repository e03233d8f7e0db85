"""Background jobs: `celery -A orders worker` runs them, `celery -A orders beat` starts them on time."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders.settings")

app = Celery("orders")
# Not config_from_object: it would find settings.BROKER_URL, the events' address, under an old name of its own.
app.add_defaults(lambda: settings.CELERY)
app.autodiscover_tasks(["orders"])
