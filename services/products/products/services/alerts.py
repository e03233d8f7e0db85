"""Low stock: an alert and an event each time that a product's stock falls to its threshold.

Whoever calls has the products locked, so that no two see the same stock fall.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models.functions import Now

from products.events import StockLow
from products.models import Product, StockAlert
from servicekit.messaging.outbox import Outgoing, publish_many


class StockLevel(NamedTuple):
    """What a product's stock is now, and below which number of units it is low."""

    product_id: UUID
    stock: int
    threshold: int

    @property
    def is_low(self) -> bool:
        """Whether it is at its threshold or below it; a threshold of 0 is none."""
        return 0 < self.threshold >= self.stock


class StockChange(NamedTuple):
    """A product's stock before and after what was done."""

    product_id: UUID
    before: int
    after: int
    threshold: int


def note_changes(changes: Iterable[StockChange]) -> None:
    """Open an alert for each stock that fell to its threshold, close it for each that rose above.

    Only a crossing asks the database: most orders cross nothing.
    """
    fallen, risen = [], []
    for product_id, before, after, threshold in changes:
        level = StockLevel(product_id, after, threshold)
        was_low = StockLevel(product_id, before, threshold).is_low
        if level.is_low and not was_low:
            fallen.append(level)
        elif was_low and not level.is_low:
            risen.append(product_id)
    _open(fallen)
    _close(risen)


def note_threshold(level: StockLevel) -> None:
    """Open or close a product's alert after its threshold has changed."""
    if level.is_low:
        _open([level])
    else:
        _close([level.product_id])


def _open(levels: list[StockLevel]) -> None:
    if not levels:
        return
    # One that is open already, by whatever repair, must not keep an order from its stock.
    known = StockAlert.objects.filter(product_id__in=[each[0] for each in levels], closed_at=None)
    open_ids = set(known.values_list("product_id", flat=True))
    levels = [level for level in levels if level.product_id not in open_ids]
    alerts = StockAlert.objects.bulk_create(
        StockAlert(product_id=level.product_id, stock=level.stock, threshold=level.threshold)
        for level in levels
    )
    products = Product.objects.in_bulk([level.product_id for level in levels])
    publish_many(_told(alert, products[alert.product_id]) for alert in alerts)


def _told(alert: StockAlert, product: Product) -> Outgoing:
    event = StockLow(
        product_id=product.pk,
        slug=product.slug,
        name=product.name,
        stock=alert.stock,
        threshold=alert.threshold,
    )
    # Alerts are numbered upwards, those of a product as well.
    return Outgoing(event, subject=str(product.pk), sequence=alert.pk)


def _close(product_ids: list[UUID]) -> None:
    if product_ids:
        open_alerts = StockAlert.objects.filter(product_id__in=product_ids, closed_at=None)
        open_alerts.update(closed_at=Now())
