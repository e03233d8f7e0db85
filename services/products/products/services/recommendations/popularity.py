"""How popular products are: by what was sold and looked at in the last 30 days.

A view costs no write: each process counts in memory and writes what it counted every ten seconds,
by the first reader after that. A process that ends loses what it has not written.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import Error, connection, transaction
from django.utils import timezone

from products.services.recommendations.walks import walk

logger = logging.getLogger(__name__)

WINDOW_DAYS = 30
#: A unit that was sold counts as much as so many views.
VIEWS_PER_UNIT = 10
FLUSH_SECONDS = 10.0
#: Products in one transaction.
AT_ONCE = 500

# What is no product is left out by the join. In the sequence of the ids, so that two processes wait
# for each other, but never in a circle.
VIEWS = """
    INSERT INTO product_views (day, product_id, views)
    SELECT (statement_timestamp() AT TIME ZONE 'UTC')::date, product.id, views
    FROM unnest(%s::uuid[], %s::bigint[]) AS seen (product_id, views)
    JOIN product ON product.id = seen.product_id
    ORDER BY product.id
    ON CONFLICT (product_id, day) DO UPDATE SET views = product_views.views + excluded.views
"""
# The next products after an id that were sold or looked at in the window, or that once were. Each
# part is read in the order of its index and no further than needed.
NEXT = """
    (SELECT DISTINCT product_id FROM product_sales
     WHERE product_id > %(after)s AND day > %(since)s ORDER BY product_id LIMIT %(limit)s)
    UNION
    (SELECT DISTINCT product_id FROM product_views
     WHERE product_id > %(after)s AND day > %(since)s ORDER BY product_id LIMIT %(limit)s)
    UNION
    (SELECT id FROM product
     WHERE id > %(after)s AND popularity > 0 ORDER BY id LIMIT %(limit)s)
    ORDER BY 1 LIMIT %(limit)s
"""
# A row that a purchase holds is left to the next job: nobody waits for a number like this.
COUNT = """
    WITH counted AS (
        SELECT id, least(2147483647,
            %(per_unit)s * (SELECT coalesce(sum(units), 0) FROM product_sales
                            WHERE product_id = product.id AND day > %(since)s)
            + (SELECT coalesce(sum(views), 0) FROM product_views
               WHERE product_id = product.id AND day > %(since)s)) AS score
        FROM product WHERE id = ANY(%(ids)s)
    ), changed AS (
        SELECT product.id, score FROM product JOIN counted USING (id)
        WHERE popularity <> score
        ORDER BY product.id FOR NO KEY UPDATE OF product SKIP LOCKED
    )
    UPDATE product SET popularity = score FROM changed WHERE product.id = changed.id
"""


class ViewCounter:
    """The views of this process that are not written yet."""

    def __init__(self) -> None:
        self.flushed_at = time.monotonic()
        self._counted: Counter[UUID] = Counter()
        self._lock = threading.Lock()

    def note(self, product_id: UUID) -> None:
        """Count a view; write all that were counted if the last were written ten seconds ago."""
        with self._lock:
            self._counted[product_id] += 1
            if time.monotonic() - self.flushed_at < FLUSH_SECONDS:
                return
            counted, self._counted = self._counted, Counter()
            self.flushed_at = time.monotonic()
        try:
            record_views(counted)
        except Error as error:
            # The reader gets the product, whatever becomes of the count.
            logger.warning("views were not counted", extra={"reason": str(error)})


views = ViewCounter()


def record_views(counted: Mapping[UUID, int]) -> None:
    """Add views to those of today."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(VIEWS, [list(counted), list(counted.values())])


def count_popularity(*, seconds: float) -> int:
    """Count anew how popular products are, for so long; return of how many."""
    since = timezone.now().date() - timedelta(days=WINDOW_DAYS)

    def next_ids(after: UUID) -> list[UUID]:
        with connection.cursor() as cursor:
            cursor.execute(NEXT, {"after": after, "since": since, "limit": AT_ONCE})
            return [row[0] for row in cursor.fetchall()]

    def count(ids: Sequence[UUID]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(COUNT, {"ids": list(ids), "since": since, "per_unit": VIEWS_PER_UNIT})

    return walk(job="popularity", next_ids=next_ids, work=count, seconds=seconds)
