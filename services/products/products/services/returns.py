"""Units that customers sent back: they are for sale again, once for each return."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from products.events import OrderReturned
from products.models import Product
from products.services import alerts
from products.services.alerts import StockChange
from servicekit.messaging.router import Received

logger = logging.getLogger(__name__)

# A return that is in the ledger changes no stock, whoever tells of it again and however much later:
# unlike the inbox, the ledger is never purged. A product that was never ours is left out by the
# join. In the sequence of the ids, as every batch locks products.
INSERT_LEDGER = """
    INSERT INTO stock_movement (order_id, return_id, product_id, quantity, kind, reason)
    SELECT order_id, return_id, product.id, quantity, 'return', ''
    FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::int[])
        AS back (order_id, return_id, product_id, quantity)
    JOIN product ON product.id = back.product_id
    ORDER BY product.id, return_id
    ON CONFLICT (return_id, product_id) WHERE return_id IS NOT NULL DO NOTHING
    RETURNING product_id, quantity
"""
CHANGE_STOCK = """
    UPDATE product SET stock = stock + delta
    FROM unnest(%s::uuid[], %s::bigint[]) AS t (product_id, delta)
    WHERE product.id = t.product_id
"""


def put_back(*, received: Sequence[Received[OrderReturned]]) -> None:
    """Add the units of returns to the stock, and to the ledger, where they are not there yet."""
    rows = [
        (item.event.order_id, item.event.return_id, product_id, quantity)
        for item in received
        for product_id, quantity in _quantities(item.event).items()
    ]
    if not rows:
        return
    products = _lock({row[2] for row in rows})
    change = _record(rows)
    if not change:
        return
    with connection.cursor() as cursor:
        cursor.execute(CHANGE_STOCK, [list(change), list(change.values())])
    alerts.note_changes(
        StockChange(pk, product.stock, product.stock + change[pk], product.low_stock_threshold)
        for pk, product in products.items()
    )


def rows_of(received: Sequence[Received[OrderReturned]]) -> list[int]:
    """Return how many rows each return will write."""
    return [len(item.event.lines) for item in received]


def _quantities(event: OrderReturned) -> Counter[UUID]:
    units: Counter[UUID] = Counter()
    for line in event.lines:
        units[line.product_id] += line.quantity
    return units


def _lock(product_ids: set[UUID]) -> dict[UUID, Product]:
    """Lock the products in id order; the result lacks those that do not exist."""
    rows = Product.objects.filter(pk__in=product_ids).only("stock", "low_stock_threshold")
    products = {row.pk: row for row in rows.order_by("pk").select_for_update(no_key=True)}
    if strange := product_ids - products.keys():
        logger.error(
            "units came back of products that there are not",
            extra={"products": sorted(str(product_id) for product_id in strange)},
        )
    return products


def _record(rows: Sequence[tuple[Any, ...]]) -> Counter[UUID]:
    """Write the ledger; return the units of each product that were not in it."""
    change: Counter[UUID] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(INSERT_LEDGER, [list(column) for column in zip(*rows, strict=True)])
        for product_id, quantity in cursor.fetchall():
            change[product_id] += quantity
    return change
