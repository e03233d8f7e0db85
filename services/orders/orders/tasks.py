"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from orders.services import payment_requests, privacy, settlement

#: Less than the five seconds after which the next job comes.
SWEEP_SECONDS = 4.0
#: Less than the two seconds after which the provider is asked again.
ASK_SECONDS = 1.5


@shared_task(name="orders.expire_overdue_orders")  # type: ignore[untyped-decorator]
def expire_overdue_orders() -> int:
    """Expire the orders whose deadline has passed; return how many."""
    return settlement.expire_all_overdue(seconds=SWEEP_SECONDS)


@shared_task(name="orders.forget_customers")  # type: ignore[untyped-decorator]
def forget_customers() -> int:
    """Delete what deleted accounts sent with orders that have ended; return how many there are."""
    return privacy.forget_all_details(seconds=SWEEP_SECONDS)


@shared_task(name="orders.ask_payment_provider")  # type: ignore[untyped-decorator]
def ask_payment_provider() -> int:
    """Ask the payment provider what is to be asked; return how much."""
    return payment_requests.ask_provider(seconds=ASK_SECONDS)
