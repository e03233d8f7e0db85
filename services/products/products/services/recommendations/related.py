"""What customers who bought a product bought as well."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from products.selectors import MOST_RELATED
from products.services.recommendations.walks import walk

#: Of a product's buyers the latest, and of their purchases the latest: what everybody buys costs no
#: more than what few buy.
BUYERS, PURCHASES_OF_EACH = 200, 50
#: A single customer's purchases say nothing, and are nobody's business.
MIN_CUSTOMERS = 2
#: Products in one transaction: each reads up to 10,000 purchases.
AT_ONCE = 20

NEXT = """
    SELECT DISTINCT product_id FROM purchase WHERE product_id > %s ORDER BY product_id LIMIT %s
"""
# What of a product's list is no more goes; the rest is written where it changed. Beyond the ORM:
# lateral joins, and a statement that writes what it has counted.
RELATE = """
    WITH wanted AS (SELECT unnest(%(ids)s::uuid[]) AS id),
    bought AS (
        SELECT wanted.id, other.product_id, count(*) AS customers
        FROM wanted,
             LATERAL (SELECT customer_id FROM purchase WHERE product_id = wanted.id
                      ORDER BY purchase.id DESC LIMIT %(buyers)s) AS buyer,
             LATERAL (SELECT product_id FROM purchase WHERE customer_id = buyer.customer_id
                      ORDER BY purchase.id DESC LIMIT %(purchases)s) AS other
             JOIN product ON product.id = other.product_id AND product.active
        WHERE other.product_id <> wanted.id
        GROUP BY wanted.id, other.product_id
        HAVING count(*) >= %(customers)s
    ), best AS (
        SELECT id, product_id, customers FROM (
            SELECT bought.*, row_number() OVER (
                PARTITION BY id ORDER BY customers DESC, product_id) AS place FROM bought
        ) AS ranked WHERE place <= %(most)s
    ), gone AS (
        DELETE FROM related_product USING wanted
        WHERE related_product.product_id = wanted.id AND NOT EXISTS (
            SELECT FROM best WHERE best.id = wanted.id AND product_id = related_product.other_id)
    )
    INSERT INTO related_product AS kept (product_id, other_id, customers)
    SELECT id, product_id, customers FROM best
    ON CONFLICT (product_id, other_id) DO UPDATE SET customers = excluded.customers
    WHERE kept.customers <> excluded.customers
"""


def relate_products(*, seconds: float) -> int:
    """Find anew what goes with the products that were bought, for so long; return of how many."""

    def next_ids(after: UUID) -> list[UUID]:
        with connection.cursor() as cursor:
            cursor.execute(NEXT, [after, AT_ONCE])
            return [row[0] for row in cursor.fetchall()]

    return walk(job="related", next_ids=next_ids, work=_relate, seconds=seconds)


def _relate(ids: Sequence[UUID]) -> None:
    limits = {
        "buyers": BUYERS,
        "purchases": PURCHASES_OF_EACH,
        "customers": MIN_CUSTOMERS,
        "most": MOST_RELATED,
    }
    with connection.cursor() as cursor:
        cursor.execute(RELATE, {"ids": list(ids), **limits})
