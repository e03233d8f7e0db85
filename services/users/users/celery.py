"""Background jobs: `celery -A users worker` runs them, `celery -A users beat` starts them.

Only those two import this module: the other processes start no job, and without Celery each takes
7 MiB less.
"""

from servicekit.operations.jobs import celery_app

app = celery_app("users")
