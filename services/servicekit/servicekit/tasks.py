"""Background jobs that every service has."""

import logging

from celery import shared_task
from django.db import DatabaseError, InterfaceError

from servicekit.operations import heartbeats, purge

logger = logging.getLogger(__name__)

#: A worker does one job at a time, and a job that the service waits for may come every five
#: seconds.
PURGE_SECONDS = 2.0


@shared_task(name="servicekit.purge")  # type: ignore[untyped-decorator]
def purge_old_rows() -> int:
    """Delete old rows for two seconds at most; return how many. The next job goes on."""
    try:
        deleted = sum(table.deleted for table in purge.run(seconds=PURGE_SECONDS))
    except purge.PurgeRuns:
        deleted = 0  # several workers share the work: this round is another's
    except (DatabaseError, InterfaceError) as error:
        logger.warning("purge waits", extra={"error": str(error)[:300]})
        return 0
    heartbeats.beat("worker")  # its absence shows that jobs are not done
    return deleted
