"""Which versions of which rows the two hot reads are made of, as text, by one statement each.

Every change of a row makes another version of it, with a transaction (`xmin`) and a place in its
table (`ctid`) that it does not have again (PostgreSQL manual, 5.5). Reading these costs a small
part of what reading the rows and writing their JSON costs
(docs/adr/0088-hot-reads-are-kept-by-row-version.md). The texts are written here, and not by the
ORM, which would build them anew for each request.
"""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from servicekit.http.pagination import Ordering

#: Of a product's row in a list, and of its category's.
ROW = "concat(product.id, product.xmin, product.ctid, category.xmin, category.ctid)"
PAGE = """
    SELECT product.id::text, {field}::text, {row}
    FROM product LEFT JOIN category ON category.id = product.category_id
    WHERE product.active AND product.deleted_at IS NULL {after}
    ORDER BY {field} {way}, product.id {way} LIMIT {count}
"""
TYPES = {datetime: "timestamptz", Decimal: "numeric", int: "bigint", str: "text"}
# Of related products, a few more than are shown: which are, is for selectors.list_related.
PRODUCT = """
    WITH RECURSIVE path AS (
        SELECT category.id, category.parent_id, category.xmin, category.ctid
        FROM product JOIN category ON category.id = product.category_id
        WHERE product.id = %(id)s
        UNION ALL
        SELECT above.id, above.parent_id, above.xmin, above.ctid
        FROM category AS above JOIN path ON above.id = path.parent_id
    )
    SELECT concat(
        product.id, product.xmin, product.ctid,
        '/', (SELECT string_agg(concat(xmin, ctid), ' ') FROM path),
        '/', (SELECT string_agg(concat(xmin, ctid), ' ') FROM (
            SELECT xmin, ctid FROM product_image WHERE product_id = product.id ORDER BY id
        ) AS images),
        '/', (SELECT string_agg(concat(xmin, ctid), ' ') FROM (
            SELECT xmin, ctid FROM review
            WHERE product_id = product.id AND hidden_at IS NULL ORDER BY id DESC LIMIT %(reviews)s
        ) AS reviews),
        '/', (SELECT string_agg(concat(xmin, ctid), ' ') FROM (
            SELECT other.xmin, other.ctid
            FROM related_product JOIN product AS other ON other.id = related_product.other_id
            WHERE related_product.product_id = product.id
            ORDER BY related_product.customers DESC, other.id LIMIT %(bought)s
        ) AS bought),
        '/', (SELECT string_agg(concat(xmin, ctid), ' ') FROM (
            SELECT xmin, ctid FROM product AS other
            WHERE other.category_id = product.category_id AND other.active
            ORDER BY other.created_at DESC, other.id DESC LIMIT %(newest)s
        ) AS newest)
    )
    FROM product WHERE product.id = %(id)s AND product.active AND product.deleted_at IS NULL
"""


class Row(NamedTuple):
    """A product on a page: its id, the value that the page is ordered by, and the versions of what
    its body is made of, all as text.
    """

    id: str
    place: str
    version: str


def list_versions(*, ordering: Ordering, after: tuple[Any, Any] | None, count: int) -> list[Row]:
    """Return the first `count` of the products for sale, behind a place and an id."""
    with connection.cursor() as cursor:
        cursor.execute(_page(ordering, count, is_first=after is None), after)
        return [Row(*row) for row in cursor.fetchall()]


def product_version(*, product_id: UUID, **limits: int) -> str | None:
    """Return the versions of all that a product's own body is made of; None if not for sale.

    `limits` are how many rows may be looked at: `reviews`, `bought` and `newest`.
    """
    with connection.cursor() as cursor:
        cursor.execute(PRODUCT, {"id": product_id, **limits})
        row = cursor.fetchone()
    return str(row[0]) if row else None


@cache
def _page(ordering: Ordering, count: int, *, is_first: bool) -> str:
    collation = f' COLLATE "{ordering.collation}"' if ordering.collation else ""
    field = f"product.{ordering.field}{collation}"
    way, than = ("DESC", "<") if ordering.descending else ("ASC", ">")
    place = f"ROW(%s::{TYPES[ordering.kind]}, %s)"
    after = "" if is_first else f"AND ROW({field}, product.id) {than} {place}"
    return PAGE.format(field=field, row=ROW, after=after, way=way, count=count)
