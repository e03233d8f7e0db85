"""Background jobs: `celery -A orders worker` runs them, `celery -A orders beat` starts them on time."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders.settings")

app = Celery("orders")
# Not config_from_object, which would find settings.BROKER_URL, the events' address, under an old name of its own. The command line
# takes the same name from the environment; the variable that it hands on is therefore set again here.
app.add_defaults(lambda: settings.CELERY)
os.environ["CELERY_BROKER_URL"] = str(settings.CELERY["broker_url"])
app.autodiscover_tasks(["orders"])
