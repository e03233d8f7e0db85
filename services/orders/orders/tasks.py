"""Jobs that nobody waits for. Each translates and calls one service."""

from celery import shared_task

from orders import services
from servicekit import heartbeats


@shared_task(name="orders.expire_overdue_orders", expires=5)  # type: ignore[untyped-decorator]
def expire_overdue_orders() -> int:
    expired = services.expire_overdue_orders()
    heartbeats.beat("worker")  # it comes every five seconds: its absence shows that nobody works
    return expired
