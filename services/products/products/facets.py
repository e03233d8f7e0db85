"""How many products of a list have what: counts to narrow it by.

Of more products than MOST, the first MOST that the database comes upon are counted: a list of a
million costs no more than one of ten thousand.
"""

import json
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from products.models import Product

MOST = 10_000
VALUES_OF_AN_ATTRIBUTE = 20
COLUMNS = ("id", "category_id", "price", "stock", "rating_average", "attributes")

NOTHING = "SELECT * FROM product WHERE false"

# Groups of what a slice holds are beyond the ORM; {rows} is the ORM's statement for the slice.
SUMS = """
    SELECT count(*), min(price), max(price), count(*) FILTER (WHERE stock > 0),
           count(*) FILTER (WHERE rating_average >= 1), count(*) FILTER (WHERE rating_average >= 2),
           count(*) FILTER (WHERE rating_average >= 3), count(*) FILTER (WHERE rating_average >= 4)
    FROM ({rows}) AS found
"""
# Each category's count is its whole branch's. Those below the category that was asked for, or the
# roots.
CATEGORIES = """
    WITH RECURSIVE counted AS (
        SELECT category_id, count(*) AS products FROM ({rows}) AS found
        WHERE category_id IS NOT NULL GROUP BY category_id
    ), above AS (
        SELECT products, id, parent_id FROM counted JOIN category ON id = category_id
        UNION ALL
        SELECT products, category.id, category.parent_id
        FROM above JOIN category ON category.id = above.parent_id
    )
    SELECT category.id, slug, name, translations, sum(products)::bigint AS count
    FROM above JOIN category ON category.id = above.id
    WHERE above.parent_id IS NOT DISTINCT FROM (SELECT id FROM category WHERE slug = %s)
    GROUP BY category.id ORDER BY count DESC, slug LIMIT 100
"""
# The most frequent values of each, and of numbers the least and the greatest.
ATTRIBUTES = """
    SELECT key, type, name, translations, unit, value, count, low, high
    FROM (
        SELECT member.key, member.value, count(*),
               row_number() OVER (PARTITION BY key ORDER BY count(*) DESC, value) AS place,
               min(number) OVER (PARTITION BY key) AS low,
               max(number) OVER (PARTITION BY key) AS high
        FROM ({rows}) AS found,
             LATERAL jsonb_each(attributes) AS member (key, value),
             LATERAL (SELECT CASE WHEN jsonb_typeof(value) = 'number'
                                  THEN (value #>> '{{}}')::numeric END) AS typed (number)
        GROUP BY member.key, member.value, number
    ) AS counted JOIN attribute USING (key)
    WHERE place <= %s
    ORDER BY key, place
"""
Row = dict[str, Any]


def sums(rows: QuerySet[Product]) -> Row:
    """Return how many products of `rows` there are, are in stock, and are rated so and better."""
    ((total, low, high, in_stock, *rated),) = _grouped(SUMS, rows)
    return {
        "total": total,
        "is_complete": total < MOST,
        "price": {"min": low, "max": high},
        "in_stock": in_stock,
        "rating": [{"min_rating": at_least, "count": n} for at_least, n in enumerate(rated, 1)],
    }


def categories(rows: QuerySet[Product], *, below: str | None) -> list[Row]:
    """Return the categories directly below one (its slug), or the roots, with their counts."""
    return [
        {"id": key, "slug": slug, "name": name, "translations": json.loads(text), "count": count}
        for key, slug, name, text, count in _grouped(CATEGORIES, rows, below)
    ]


def attributes(rows: QuerySet[Product]) -> list[Row]:
    """Return the attributes that products of `rows` have, with their most frequent values."""
    found: dict[str, Row] = {}
    for row in _grouped(ATTRIBUTES, rows, VALUES_OF_AN_ATTRIBUTE):
        key, type_, name, translations, unit, value, count, low, high = row
        facet = {"key": key, "type": type_, "name": name, "unit": unit, "min": low, "max": high}
        facet["translations"] = json.loads(translations)
        values = found.setdefault(key, {**facet, "values": []})["values"]
        values.append({"value": json.loads(value), "count": count})
    return list(found.values())


def _grouped(statement: str, rows: QuerySet[Product], *parameters: Any) -> list[tuple[Any, ...]]:
    try:
        found, own = rows.order_by().values(*COLUMNS)[:MOST].query.sql_with_params()
    except EmptyResultSet:
        # The ORM knows that nothing can be found, and makes no statement of it.
        found, own = NOTHING, ()
    # Its WITH and GROUP BY come before ours, so its parameters do, too.
    with connection.cursor() as cursor:
        cursor.execute(statement.format(rows=found), [*own, *parameters])
        counted: list[tuple[Any, ...]] = cursor.fetchall()
        return counted
