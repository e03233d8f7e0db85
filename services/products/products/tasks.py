"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from products.services import alert_mails, stock_check, unsettled

#: Beside the mail server's ten seconds, less than a worker may be without a sign of life.
CLAIM_SECONDS = 4.0


@shared_task(name="products.check_stock")  # type: ignore[untyped-decorator]
def check_stock() -> int:
    """Compare every stock with its ledger, log what differs; return how many do."""
    return len(stock_check.find_differences())


@shared_task(name="products.settle_reservations")  # type: ignore[untyped-decorator]
def settle_reservations() -> int:
    """Ask orders about reservations that should have ended long ago; return how many."""
    return unsettled.ask_about_unsettled()


@shared_task(name="products.mail_alerts")  # type: ignore[untyped-decorator]
def mail_alerts() -> int:
    """Mail the alerts of low stock that no mail told of yet; return how many."""
    return alert_mails.mail_alerts(seconds=CLAIM_SECONDS)
