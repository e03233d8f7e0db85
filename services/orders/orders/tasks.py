"""Jobs that nobody waits for. Each translates and calls one service."""

from celery import shared_task

from orders import services
from servicekit.operations import heartbeats

#: Less than the five seconds after which the next job comes.
SWEEP_SECONDS = 4.0


@shared_task(name="orders.expire_overdue_orders")  # type: ignore[untyped-decorator]
def expire_overdue_orders() -> int:
    expired = services.expire_all_overdue(seconds=SWEEP_SECONDS)
    heartbeats.beat("worker")  # it comes every five seconds: its absence shows that nobody works
    return expired
