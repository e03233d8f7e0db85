"""Settings of the orders service: plain assignments, values from the environment (.env.example describes each)."""

from typing import Any

from orders.schedules import every
from servicekit import env
from servicekit import settings as kit
from servicekit.operations import logs

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "orders,localhost,127.0.0.1,testserver")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "drf_spectacular",
    "servicekit",
    "orders",
]
MIDDLEWARE = kit.MIDDLEWARE
ROOT_URLCONF = "orders.urls"
WSGI_APPLICATION = "orders.wsgi.application"
APPEND_SLASH = False

WEB_THREADS = env.integer("WEB_THREADS", 8, minimum=1, maximum=256)
DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
BROKER_URL = env.secret("BROKER_URL")
EVENT_ROUTER = "orders.handlers.router"
EXPECTED_PROCESSES = ["relay", "consumer", "worker"]
READINESS_CHECKS = {"overdue": "orders.operations.check_overdue"}
GAUGES = ["orders.operations.gauges"]
RELAY_BATCH = env.integer("RELAY_BATCH", 500, minimum=1, maximum=2000)
CONSUMER_BATCH = env.integer("CONSUMER_BATCH", 100, minimum=1, maximum=1000)

TOKEN_ISSUER = env.text("TOKEN_ISSUER", "souk")
TOKEN_AUDIENCE = env.text("TOKEN_AUDIENCE", "souk")
JWKS_URL = env.text("JWKS_URL", "http://users:8000/.well-known/jwks.json")
JWKS_CACHE_FILE = env.text("JWKS_CACHE_FILE", "")

PRODUCTS_URL = env.text("PRODUCTS_URL", "http://products:8000")
# Longer than any outage we mean to sit out: a broker away for a minute must not cost orders (docs/adr/0020-order-deadline.md).
ORDER_DEADLINE_SECONDS = env.integer("ORDER_DEADLINE_SECONDS", 900, minimum=1, maximum=43_200)

# Jobs have a virtual host of their own: Celery publishes through the default exchange, which among the events would be every queue.
CELERY: dict[str, Any] = {
    "broker_url": env.secret("JOBS_BROKER_URL"),
    "task_default_queue": "orders.celery",
    "task_ignore_result": True,
    "result_expires": None,
    "task_acks_late": True,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
    "timezone": "UTC",
    "beat_scheduler": "orders.celery:Scheduler",
    "beat_schedule": {
        # The broker drops a job that nobody took before the next one; with `expires` the worker's clock would judge beat's.
        "expire-overdue-orders": {
            "task": "orders.expire_overdue_orders",
            "schedule": every(5.0),
            "options": {"expiration": 5.0},
        },
    },
}

REST_FRAMEWORK = kit.REST_FRAMEWORK
SIMPLE_JWT = kit.SIMPLE_JWT
SPECTACULAR_SETTINGS = kit.spectacular("Souk orders", "Orders, from placing to their end.")
SILENCED_SYSTEM_CHECKS = kit.SILENCED_SYSTEM_CHECKS

LOGGING = logs.logging("orders")
USE_TZ = True
TIME_ZONE = "UTC"
