"""Changes of stock by staff. What orders take and give back is in reservations.py."""

from uuid import UUID

from django.db import transaction

from products.errors import InsufficientStock, StockTooLarge
from products.models import MAX_STOCK, Product, StockMovement


def adjust_stock(*, product: Product, delta: int, reason: str, by: UUID) -> int:
    """Add `delta` units (negative: remove), write the ledger, return the new stock.

    Raises:
        InsufficientStock: fewer than `-delta` units are available; the refusal names how many.
        StockTooLarge: units are added and the stock would exceed a billion; what cancelled orders gave back may have made it larger.
    """
    with transaction.atomic():
        locked = Product.objects.select_for_update().only("stock").get(pk=product.pk)
        if locked.stock + delta < 0:
            raise InsufficientStock(
                f"Only {locked.stock} are available.", members={"available": locked.stock}
            )
        if delta > 0 and locked.stock + delta > MAX_STOCK:
            raise StockTooLarge(f"At most {MAX_STOCK} can be kept.", members={"available": locked.stock})
        locked.stock += delta
        locked.save(update_fields=["stock"])
        StockMovement.objects.create(
            product=locked, kind=StockMovement.Kind.ADJUSTMENT, quantity=delta, reason=reason, by=by
        )
    return locked.stock
