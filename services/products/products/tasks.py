"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from products.services import stock_check, unsettled


@shared_task(name="products.check_stock")  # type: ignore[untyped-decorator]
def check_stock() -> int:
    """Compare every stock with its ledger, log what differs; return how many do."""
    return len(stock_check.find_differences())


@shared_task(name="products.settle_reservations")  # type: ignore[untyped-decorator]
def settle_reservations() -> int:
    """Ask orders about reservations that should have ended long ago; return how many."""
    return unsettled.ask_about_unsettled()
