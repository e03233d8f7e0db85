"""What readiness and Prometheus ask of orders: whether any is overdue.

The worker expires overdue orders, so they tell how the worker is.
"""

from orders import selectors
from servicekit.operations.metrics import Gauge

#: The worker sweeps every five seconds.
LATE_SECONDS = 60


def check_overdue() -> str:
    """Return what is wrong when the oldest overdue order is late, or nothing."""
    seconds = selectors.oldest_overdue_seconds()
    if seconds <= LATE_SECONDS:
        return ""
    return f"the oldest overdue order is {int(seconds)} s past its deadline: is the worker running?"


def gauges() -> list[Gauge]:
    """Return how many orders are overdue, and by how much the oldest is."""
    count, seconds = selectors.count_overdue(), selectors.oldest_overdue_seconds()
    owed = "Seconds since the payment provider was to be asked what it has not answered"
    oldest = "Seconds since the oldest of their deadlines"
    return [
        Gauge("souk_orders_overdue_pending", "Pending orders past their deadline", count),
        Gauge("souk_orders_oldest_overdue_seconds", oldest, seconds),
        Gauge(
            "souk_payments_oldest_unanswered_seconds", owed, selectors.oldest_unanswered_seconds()
        ),
    ]
