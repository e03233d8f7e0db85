"""One mail to staff for each time that a stock falls to its threshold; many at once share a mail.

**At most once.** An alert is claimed, and that is committed, before its mail is sent: a worker that
dies between the two, or a connection that breaks before the server's answer, sends no second mail.
What such a crash loses is the mail alone: the alert stays open, the event is out, and
`low_stock=true` lists the product. A server that is away or says no loses nothing: the connection
is opened before anything is claimed, and what was refused is given back.
"""

import logging
import time
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.template.loader import render_to_string

from products.models import Product
from products.services.alerts import StockLevel

logger = logging.getLogger(__name__)

#: Products that a mail names; it counts the others.
NAMED = 50
#: Rows of one statement: whoever restocks one of these products waits for it.
CLAIMED_AT_ONCE = 5_000
# Older alerts are no news: they waited for recipients, or for a server that was away for a week.
WAITING = "mailed_at IS NULL AND opened_at > statement_timestamp() - interval '7 days'"
ANY_WAITING = f"SELECT EXISTS (SELECT FROM stock_alert WHERE {WAITING})"  # noqa: S608 - our own
# Two workers never claim the same alert. The ORM has no UPDATE … RETURNING.
CLAIM = f"""
    WITH waiting AS (
        SELECT id FROM stock_alert WHERE {WAITING}
        ORDER BY opened_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE stock_alert SET mailed_at = statement_timestamp() FROM waiting
    WHERE stock_alert.id = waiting.id RETURNING stock_alert.id, product_id
"""  # noqa: S608 - our own
GIVE_BACK = "UPDATE stock_alert SET mailed_at = NULL WHERE id = ANY(%s)"

#: Products by the ids of their alerts.
Claimed = dict[int, UUID]


def mail_alerts(*, seconds: float) -> int:
    """Mail the alerts that no mail told of yet, all in one; return how many.

    Alerts are claimed for `seconds` at most; the next run mails the others.
    """
    if not settings.STOCK_ALERT_RECIPIENTS or not _is_any_waiting():
        return 0
    try:
        with mail.get_connection() as server:
            claimed = _claim(seconds)
            return _send(claimed, server) if claimed else 0
    except OSError as error:
        logger.warning("mail server is away", extra={"error": str(error)[:300]})
        return 0


def _is_any_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(ANY_WAITING)
        return bool(cursor.fetchone()[0])


def _claim(seconds: float) -> Claimed:
    """Claim alerts, a transaction for each statement, until none waits or the time is over."""
    until = time.monotonic() + seconds
    claimed: Claimed = {}
    while True:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [CLAIMED_AT_ONCE])
            rows = dict(cursor.fetchall())
        claimed |= rows
        if len(rows) < CLAIMED_AT_ONCE or time.monotonic() > until:
            return claimed


def _send(claimed: Claimed, server: BaseEmailBackend) -> int:
    try:
        _message(list(dict.fromkeys(claimed.values())), server).send()
    except (SMTPResponseException, SMTPRecipientsRefused) as error:
        with connection.cursor() as cursor:
            cursor.execute(GIVE_BACK, [list(claimed)])
        logger.exception("mail server refuses", extra={"error": str(error)[:300]})
        return 0
    except OSError as error:
        # It may have been taken: to send it again could mail twice.
        lost = {"alerts": len(claimed), "error": str(error)[:300]}
        logger.exception("mail of low stock may be lost", extra=lost)
        return 0
    return len(claimed)


def _message(product_ids: list[UUID], server: BaseEmailBackend) -> EmailMessage:
    products = Product.objects.filter(pk__in=product_ids[:NAMED]).order_by("name", "pk")
    context = {
        "products": [_described(product) for product in products],
        "number": len(product_ids),
        "others": max(0, len(product_ids) - NAMED),
    }
    return EmailMessage(
        " ".join(render_to_string("products/low_stock_subject.txt", context).split()),
        render_to_string("products/low_stock_body.txt", context),
        to=settings.STOCK_ALERT_RECIPIENTS,
        connection=server,
    )


def _described(product: Product) -> dict[str, Any]:
    """Return what the mail says of a product, as it is now; names stay in their line."""
    level = StockLevel(product.pk, product.stock, product.low_stock_threshold)
    return {
        "name": " ".join(product.name.split()),
        "sku": " ".join(product.sku.split()),
        "stock": product.stock,
        "threshold": product.low_stock_threshold,
        "is_low": level.is_low and product.deleted_at is None,
    }
