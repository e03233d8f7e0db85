"""Filtered lists over as many products as make the planner choose."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products.models import Category
from servicekit.testing.client import Caller, decoded

ROWS = 50_000
# Of fifty products one is rated 4 and none is rated 5; the first category's are the oldest.
FILL = """
    INSERT INTO product (id, slug, name, price, currency, stock, active, version, rating_average,
        category_id, created_at, description)
    SELECT gen_random_uuid(), 'p-' || n, 'Lantern', n %% 50, 'EUR', 1, true, 1,
           CASE WHEN n %% 50 = 0 THEN 4 ELSE 0 END,
           (%(categories)s::uuid[])[1 + n * 10 / (%(rows)s + 1)],
           now() - (%(rows)s - n) * interval '1 second', repeat('x', 200)
    FROM generate_series(1, %(rows)s) n
"""


@pytest.fixture
def catalogue(transactional_db: None) -> Iterator[None]:
    parents = [Category.objects.create(slug=f"c-{n}", name="Light") for n in range(2)]
    leaves = [
        Category.objects.create(slug=f"c-{n}-{below}", name="Lamps", parent=parents[n])
        for n in range(2)
        for below in range(5)
    ]
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"rows": ROWS, "categories": [leaf.pk for leaf in leaves]})
        cursor.execute("VACUUM ANALYZE product")
    yield
    # Or the tests after this one would plan for a large table.
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE product, category CASCADE")
        cursor.execute("VACUUM ANALYZE product")


def generic_plans(like: str) -> list[int]:
    """How often each prepared statement of that kind was run by a plan for any values."""
    query = "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE %s"
    with connection.cursor() as cursor:
        cursor.execute(query, [f"%{like}%"])
        return [count for (count,) in cursor.fetchall()]


def test_filtered_list_is_planned_for_its_values_however_often(
    catalogue: None, nobody: Caller
) -> None:
    """A plan for any rating follows the list: fine for a frequent rating, a scan for none."""
    for rating in [4] * 12 + [5] * 2:
        decoded(nobody.get(f"/api/products/?min_rating={rating}&page_size=21"))

    found = generic_plans('"rating_average" >=')
    assert found
    assert set(found) == {0}


def rows_read(caller: Caller, path: str) -> int:
    """How many products the queries of a request looked at, found or not."""
    with CaptureQueriesContext(connection) as queries:
        decoded(caller.get(path))
    asked = [each["sql"] for each in queries if 'FROM "product"' in each["sql"]]

    def read(node: dict[str, Any]) -> int:
        looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        own = looked_at * node["Actual Loops"] if node.get("Relation Name") == "product" else 0
        return int(own) + sum(read(each) for each in node.get("Plans", []))

    with connection.cursor() as cursor:
        total = 0
        for sql in asked:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            ((plan,),) = cursor.fetchone()
            total += read(plan["Plan"])
    assert asked
    return total


def test_branch_by_time_reads_a_page_of_each_category_wherever_its_products_are(
    catalogue: None, nobody: Caller
) -> None:
    """Following the order, the branch of the oldest products begins after all the others."""
    read = {}
    for query in ("category=c-0", "category=c-1", "category=c-0-0", "category=c-0&in_stock=true"):
        for order in ("-created_at", "created_at"):
            first = f"/api/products/?{query}&ordering={order}&page_size=20"
            second = decoded(nobody.get(first))["next"]
            read |= {path: rows_read(nobody, path) for path in (first, second)}

    assert {path: rows for path, rows in read.items() if rows > 7 * 21} == {}


@pytest.mark.django_db
def test_frequencies_of_attributes_are_looked_up_in_a_large_sample() -> None:
    """In one of a hundred rows, values of many products are missing, and would all be sorted."""
    query = """
        SELECT attstattarget FROM pg_attribute
        WHERE attrelid = 'product'::regclass AND attname = 'attributes'
    """
    with connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.fetchone() == (1000,)
