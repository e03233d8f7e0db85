"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from orders.services import settlement

#: Less than the five seconds after which the next job comes.
SWEEP_SECONDS = 4.0


@shared_task(name="orders.expire_overdue_orders")  # type: ignore[untyped-decorator]
def expire_overdue_orders() -> int:
    """Expire the orders whose deadline has passed; return how many."""
    return settlement.expire_all_overdue(seconds=SWEEP_SECONDS)
