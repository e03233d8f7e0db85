"""The self-check: every stock is the sum of its ledger, and alerts are open of low stocks only.

It changes nothing. A difference is a fault of ours, or of somebody with a database client: which
number is right, a person finds out.
"""

import logging
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

logger = logging.getLogger(__name__)

#: Products of one statement: each has a snapshot of its own, in which stock and ledger agree.
AT_ONCE = 10_000
FIRST = UUID(int=0)
# Both sums of one product in one statement; the ledger of each by its index. The ORM would group
# the whole ledger first.
BATCH = """
    SELECT product.id, stock, coalesce(moved, 0), low_stock_threshold,
        EXISTS (SELECT FROM stock_alert WHERE product_id = product.id AND closed_at IS NULL),
        deleted_at IS NOT NULL
    FROM product LEFT JOIN LATERAL (
        SELECT sum(quantity) AS moved FROM stock_movement WHERE product_id = product.id
    ) AS ledger ON true
    WHERE product.id > %s ORDER BY product.id LIMIT %s
"""


class Difference(NamedTuple):
    """What is wrong with a product's stock, in words for people."""

    product_id: UUID
    reason: str


def find_differences(*, at_once: int = AT_ONCE) -> list[Difference]:
    """Look at every product, in the order of ids; log and return what does not agree."""
    found: list[Difference] = []
    last = FIRST
    while rows := _rows_after(last, at_once):
        last = rows[-1][0]
        found += [Difference(row[0], reason) for row in rows for reason in _reasons(*row[1:])]
    for difference in found:
        logger.error(
            "stock differs",
            extra={"product": str(difference.product_id), "reason": difference.reason},
        )
    return found


def _rows_after(product_id: UUID, at_most: int) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(BATCH, [product_id, at_most])
        return list(cursor.fetchall())


def _reasons(
    stock: int, moved: int, threshold: int, has_alert: bool, is_deleted: bool
) -> list[str]:
    reasons = []
    if stock != moved:
        reasons.append(f"stock {stock}, ledger {moved}")
    is_low = 0 < threshold >= stock and not is_deleted
    if has_alert != is_low:
        fault = "an alert is open" if has_alert else "no alert is open"
        reasons.append(f"{fault} at stock {stock}, threshold {threshold}")
    return reasons
