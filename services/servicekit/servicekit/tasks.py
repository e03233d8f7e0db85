"""Background jobs that every service has."""

import logging

from celery import shared_task
from django.db import DatabaseError, InterfaceError

from servicekit.mails import sending
from servicekit.operations import heartbeats, purge

logger = logging.getLogger(__name__)

#: A worker does one job at a time, and a job that the service waits for may come every five
#: seconds.
PURGE_SECONDS = 2.0
#: Beside the mail server's ten seconds, less than a worker may be without a sign of life.
MAIL_SECONDS = 3.0


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


@shared_task(name="servicekit.send_mails")  # type: ignore[untyped-decorator]
def send_mails() -> int:
    """Send the mails that are due (a job of the services that write mails); return how many."""
    return sending.send_waiting(seconds=MAIL_SECONDS)
