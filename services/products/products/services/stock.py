"""Changes of stock by staff. What orders take and give back is in reservations.py."""

from uuid import UUID

from django.db import transaction

from products.errors import InsufficientStock, StockTooLarge
from products.models import MAX_STOCK, Product, StockMovement
from products.services import alerts
from products.services.alerts import StockChange
from servicekit.http.problems import NotFound


def adjust_stock(*, product_id: UUID, delta: int, reason: str, by: UUID) -> int:
    """Add `delta` units (negative: remove), write the ledger, return the new stock.

    Raises:
        NotFound: there is no such product, or it was deleted.
        InsufficientStock: fewer than `-delta` units are available; the refusal names how many.
        StockTooLarge: units are added and the stock would exceed a billion. It may exceed it
            already, by what cancelled orders gave back; then units can be removed.
    """
    with transaction.atomic():
        rows = Product.objects.filter(pk=product_id, deleted_at__isnull=True).only(
            "stock", "low_stock_threshold"
        )
        product = rows.select_for_update().first()
        if product is None:
            raise NotFound
        available = product.stock
        if available + delta < 0:
            raise InsufficientStock(
                f"Only {available} are available.", members={"available": available}
            )
        if delta > 0 and available + delta > MAX_STOCK:
            raise StockTooLarge(
                f"At most {MAX_STOCK} can be kept.", members={"available": available}
            )
        product.stock += delta
        product.save(update_fields=["stock"])
        StockMovement.objects.create(
            product=product,
            kind=StockMovement.Kind.ADJUSTMENT,
            quantity=delta,
            reason=reason,
            by=by,
        )
        alerts.note_changes(
            [StockChange(product_id, available, product.stock, product.low_stock_threshold)]
        )
    return product.stock
