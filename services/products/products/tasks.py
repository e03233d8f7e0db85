"""Background jobs. Each translates and calls one service."""

from uuid import UUID

from celery import shared_task

from products.api.batches import batches
from products.services import alert_mails, image_files, images, stock_check, unsettled
from products.services.bulk import running
from products.services.recommendations import popularity, related

#: A worker does one job at a time.
SWEEP_SECONDS = 3.0
#: Nearly the two seconds after which the next job comes; between the two the worker's other jobs
#: have their turn.
BULK_SECONDS = 1.9


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
    """Write mails of the alerts of low stock that no mail told of yet; return of how many."""
    return alert_mails.write_alert_mails(seconds=SWEEP_SECONDS)


@shared_task(name="products.make_thumbnails")  # type: ignore[untyped-decorator]
def make_thumbnails(image_id: str) -> bool:
    """Make the thumbnails of an image that has just come."""
    return images.make_thumbnails(image_id=UUID(image_id))


@shared_task(name="products.make_missing_thumbnails")  # type: ignore[untyped-decorator]
def make_missing_thumbnails() -> int:
    """Make the thumbnails whose job was lost; return of how many images. The next job goes on."""
    return images.make_missing_thumbnails(seconds=SWEEP_SECONDS)


@shared_task(name="products.delete_orphaned_images")  # type: ignore[untyped-decorator]
def delete_orphaned_images() -> int:
    """Delete the files of images that are no more; return how many. The next job goes on."""
    return image_files.delete_orphans(seconds=SWEEP_SECONDS)


@shared_task(name="products.run_bulk_operations")  # type: ignore[untyped-decorator]
def run_bulk_operations() -> int:
    """Go on with the bulk operations that staff asked for; return how many batches were done."""
    return running.run_unfinished(seconds=BULK_SECONDS, batches=batches())


@shared_task(name="products.count_popularity")  # type: ignore[untyped-decorator]
def count_popularity() -> int:
    """Count anew how popular products are; return of how many. The next job goes on."""
    return popularity.count_popularity(seconds=SWEEP_SECONDS)


@shared_task(name="products.relate_products")  # type: ignore[untyped-decorator]
def relate_products() -> int:
    """Find anew what goes with what was bought; return of how many. The next job goes on."""
    return related.relate_products(seconds=SWEEP_SECONDS)
