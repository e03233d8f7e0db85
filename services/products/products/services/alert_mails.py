"""Mails to staff: each time that a stock falls to its threshold is told once; alerts share a mail.

An alert is marked in the transaction that writes its mail, which the kit's job then sends at most
once (docs/adr/0097-mails-have-an-outbox.md).
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from products.models import Product
from products.services.alerts import StockLevel
from servicekit.mails.writing import write

#: Products that a mail names; it counts the others.
NAMED = 50
#: Alerts of one mail and one transaction: whoever restocks one of the products waits for it.
TOLD_AT_ONCE = 10_000
# Older alerts are no news: they waited for recipients, or for a server that was away for a week.
USEFUL_FOR = timedelta(days=7)
# Two workers never tell of the same alert. The ORM has no UPDATE … RETURNING.
MARK = """
    WITH waiting AS (
        SELECT id FROM stock_alert
        WHERE mailed_at IS NULL AND opened_at > statement_timestamp() - %s * interval '1 day'
        ORDER BY opened_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE stock_alert SET mailed_at = statement_timestamp() FROM waiting
    WHERE stock_alert.id = waiting.id RETURNING stock_alert.id, product_id
"""


def write_alert_mails(*, seconds: float) -> int:
    """Write mails of the alerts that no mail told of yet; return of how many.

    After `seconds` it begins no other; the next run goes on.
    """
    until = time.monotonic() + seconds
    total = told = _write_one()
    while told >= TOLD_AT_ONCE and time.monotonic() < until:
        told = _write_one()
        total += told
    return total


def _write_one() -> int:
    """Write a mail to each recipient; return of how many alerts it tells."""
    if not settings.STOCK_ALERT_RECIPIENTS:
        return 0
    with transaction.atomic():
        alerts = _mark()
        if alerts:
            _write(cause=f"stock_alert:{min(alerts)}", context=_context(set(alerts.values())))
    return len(alerts)


def _mark() -> dict[int, UUID]:
    """Mark alerts as told; return their products by their ids."""
    with connection.cursor() as cursor:
        cursor.execute(MARK, [USEFUL_FOR.days, TOLD_AT_ONCE])
        return dict(cursor.fetchall())


def _write(*, cause: str, context: Mapping[str, Any]) -> None:
    for number, recipient in enumerate(settings.STOCK_ALERT_RECIPIENTS, start=1):
        write(
            cause=f"{cause}:{number}",
            kind="products/mails/low_stock",
            recipient=recipient,
            language=settings.LANGUAGE_CODE,
            context=context,
            useful_for=USEFUL_FOR,
        )


def _context(product_ids: set[UUID]) -> dict[str, Any]:
    products = Product.objects.filter(pk__in=product_ids).order_by("name", "pk")[:NAMED]
    return {
        "products": [_described(product) for product in products],
        "number": len(product_ids),
        "others": max(0, len(product_ids) - NAMED),
    }


def _described(product: Product) -> dict[str, Any]:
    """Return what the mail says of a product, as it is now."""
    level = StockLevel(product.pk, product.stock, product.low_stock_threshold)
    return {
        "name": product.name,
        "sku": product.sku,
        "stock": product.stock,
        "threshold": product.low_stock_threshold,
        "is_low": level.is_low and product.deleted_at is None,
    }
