"""Filtered lists over as many products as make the planner choose."""

from collections.abc import Iterator

import pytest
from django.db import connection

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
    """A plan for any rating follows the list: fine for a frequent rating, a scan for one of none."""
    for rating in [4] * 12 + [5] * 2:
        decoded(nobody.get(f"/api/products/?min_rating={rating}&page_size=21"))

    found = generic_plans('"rating_average" >=')
    assert found
    assert set(found) == {0}
