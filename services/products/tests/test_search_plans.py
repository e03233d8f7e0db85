"""Search over as many products as make the planner choose."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products import selectors
from products.api.filters import ProductFilterSet
from products.api.product_viewsets import ProductViewSet
from products.search import RANKED, planned
from servicekit.testing.client import Caller, decoded

ROWS = 50_000
ORDERS = {ordering.name: ordering for ordering in ProductViewSet.orderings}
RELEVANCE = "-relevance"
FILL = """
    INSERT INTO product (id, slug, name, description, price, currency, stock, active, version,
        created_at)
    SELECT gen_random_uuid(), 'p-' || n,
           (ARRAY['Red', 'White', 'Blue'])[1 + n %% 3] || ' lantern ' || md5(n::text), repeat('x',
               200), n %% 50, 'EUR', 1,
           true, 1, now() - n * interval '1 second'
    FROM generate_series(1, %s) n
"""


@pytest.fixture
def catalogue(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(FILL, [ROWS])
        # The rarest are the last in every order.
        cursor.execute(
            "UPDATE product SET name = 'Zinc saddle ' || slug WHERE slug IN ('p-1', 'p-50000')"
        )
        cursor.execute(
            "INSERT INTO search_word VALUES ('red'), ('white'), ('blue'), ('lantern'), ('zinc'),"
            " ('saddle')"
        )
        cursor.execute("VACUUM ANALYZE product")
    yield
    # Or the tests after this one would plan for a large table.
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE product, search_word CASCADE")
        cursor.execute("VACUUM ANALYZE product")


def search(text: str, order: str) -> Any:
    parameters = {"search": text, "ordering": order}
    rows = selectors.list_products().filter(active=True).values("id")
    return ORDERS[order].sort(ProductFilterSet(parameters, rows).qs)[:21]


def rows_read(text: str, order: str) -> int:
    """How many rows of the table the plan looked at, found or not."""
    (plan,) = json.loads(search(text, order).explain(format="json", analyze=True))

    def read(node: dict[str, Any]) -> int:
        own = (
            node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            if "Relation Name" in node
            else 0
        )
        return int(own) + sum(read(each) for each in node.get("Plans", []))

    return read(plan["Plan"])


def test_search_reads_few_rows_whether_it_finds_none_few_or_many(catalogue: None) -> None:
    for order in ORDERS:
        with planned():
            assert len(search("absent", order)) == 0
            # A hash join asks for one row of either side before it knows that there is none.
            assert rows_read("absent", order) <= 1, order
            assert len(search("SADDLE", order)) == 2, order
            # Each row is read as a candidate of either kind, and to be ranked.
            assert rows_read("saddle", order) <= 8, order
            assert len(search("Lantern", order)) == 21, order
            most = 3 * RANKED if order == RELEVANCE else 100
            assert rows_read("lantern", order) <= most, order


def test_search_is_planned_for_what_is_searched_however_often(
    catalogue: None, nobody: Caller
) -> None:
    """A plan for any text would follow the list's order: fine for many hits, a scan for none."""
    for text in ["zq"] * 10 + ["lantern"] * 10 + ["absent"] * 2:
        decoded(nobody.get(f"/api/products/?search={text}"))

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE"
            " '%@@%'"
        )
        plans = cursor.fetchall()
    assert plans
    assert [generic for generic, _custom in plans] == [0]


@pytest.mark.parametrize("order", ["name", "-name"])
def test_page_by_name_reads_its_own_rows_alone_wherever_it_begins(
    catalogue: None, nobody: Caller, order: str
) -> None:
    """The index has the collation of the order and of the cursor's comparison."""
    with CaptureQueriesContext(connection) as queries:
        first = decoded(nobody.get(f"/api/products/?ordering={order}&page_size=20"))
        decoded(nobody.get(first["next"]))
    pages = [each["sql"] for each in queries if "ORDER BY" in each["sql"]]

    with connection.cursor() as cursor:
        for sql in pages:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "product_by_name_collated" in plan, plan
            assert "Sort" not in plan, plan
    assert len(pages) == 2
