"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from products.api.imported import batches
from products.services import stock_check
from products.services.bulk import running

#: Less than the five seconds after which the next job comes.
BULK_SECONDS = 4.0


@shared_task(name="products.check_stock")  # type: ignore[untyped-decorator]
def check_stock() -> int:
    """Compare every stock with its ledger, log what differs; return how many do."""
    return len(stock_check.find_differences())


@shared_task(name="products.run_bulk_operations")  # type: ignore[untyped-decorator]
def run_bulk_operations() -> int:
    """Go on with the bulk operations that staff asked for; return how many batches were done."""
    return running.run_unfinished(seconds=BULK_SECONDS, batches=batches())
