"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from orders.services import settlement
from servicekit.operations import heartbeats

#: Less than the five seconds after which the next job comes.
SWEEP_SECONDS = 4.0


@shared_task(name="orders.expire_overdue_orders")  # type: ignore[untyped-decorator]
def expire_overdue_orders() -> int:
    expired = settlement.expire_all_overdue(seconds=SWEEP_SECONDS)
    # The job comes every five seconds: where this is missing, no worker runs.
    heartbeats.beat("worker")
    return expired
