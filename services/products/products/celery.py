"""Background jobs: `celery -A products worker` runs them, `celery -A products beat` starts them.

Only those two import this module: the other processes start no job, and without Celery each takes
7 MiB less.
"""

from servicekit.operations.jobs import celery_app

app = celery_app("products")
