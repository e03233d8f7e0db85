"""When jobs are due."""

import time
from datetime import UTC, datetime

from celery.schedules import schedule


def monotonic_now() -> datetime:
    """Return the machine's monotonic clock as celery wants it, a datetime; it means nothing to another process."""
    return datetime.fromtimestamp(time.monotonic(), UTC)


def every(seconds: float) -> schedule:
    """Return a schedule that setting the wall clock neither stops nor hurries (docs/adr/0052-jobs-are-due-by-the-monotonic-clock.md).

    Celery's own takes the wall clock: set back by an hour, it starts nothing for an hour.
    """
    return schedule(run_every=seconds, nowfun=monotonic_now)
