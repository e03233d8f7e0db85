"""Background jobs, as a service has them."""

from servicekit.operations.jobs import celery_app

app = celery_app("tests.project")
