"""Every read of the catalogue over as many products as make the planner choose.

Each statement that an address really runs is explained where it runs: none reads a large table from
end to end, and none reads many rows to answer with few.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection

from products import facets
from products.api.product_viewsets import ProductViewSet
from products.branches import MERGED
from products.search import MANY
from products.search import RANKED as MOST_RANKED
from servicekit.testing.client import Caller, decoded
from servicekit.testing.plans import Plans, rows_read

PRODUCTS = 50_000
#: The product of which there is much of everything.
HOT = UUID("00000000-0000-4000-8000-000000000001")
CATALOGUE = Path(__file__).with_name("catalogue.sql").read_text(encoding="utf-8")
LARGE = {"product", "review", "stock_movement", "stock_alert", "search_word", "related_product"}
#: A page and its next row, once more for the page behind it; what goes with a product.
PAGE = 2 * 21 + 50
#: A page of each category of a branch (branches.py), and the page.
BRANCH = PAGE + 21 * MERGED
#: What has a fifth of the ledger may be met by following the ledger.
LEDGER = 1000
#: A filter that leaves a hundredth is met by following the order, or by sorting what it leaves.
FILTERED = PRODUCTS // 10
#: Each row is read as a candidate of either kind, and to be ranked.
RANKED = 3 * MOST_RANKED
COUNTED = 4 * facets.MOST
LIST = "/api/products/"
ORDERINGS = [each.name for each in ProductViewSet.orderings if each.name != "-relevance"]
#: How many rows of large tables an address may read.
BY_EVERYBODY = {
    **{f"{LIST}?ordering={name}": PAGE for name in ORDERINGS},
    **{
        f"{LIST}?{query}": most
        for query, most in {
            "category=house": BRANCH,
            "category=leaf-7": PAGE,
            "category=leaf-7&ordering=price": FILTERED,
            "category=nothing": 0,
            "in_stock=true": PAGE,
            "in_stock=true&category=leaf-7&min_price=2": PAGE,
            "min_price=10": PAGE,
            "min_price=499": FILTERED,
            "min_price=10&max_price=12": FILTERED,
            "min_price=10&max_price=12&ordering=price": PAGE,
            "min_rating=4": PAGE,
            "attributes=colour:red": PAGE,
            "attributes=colour:gold": PAGE,
            "attributes=height:10..20": FILTERED,
            "slug=p-77": 1,
            "sku=S77": 1,
            "search=lantern": RANKED,
            "search=lanten": RANKED,
            "search=laterne&language=de": RANKED,
        }.items()
    },
    # A hash join asks for one row of either side before it knows that there is none.
    **{f"{LIST}?search=absent&ordering={name}": 1 for name in ORDERINGS},
    **{f"{LIST}?search=SADDLE&ordering={name}": 8 for name in ORDERINGS},
    **{f"{LIST}?search=Lantern&ordering={name}": 2 * MANY for name in ORDERINGS},
    f"{LIST}popular/": PAGE,
    f"{LIST}facets/": COUNTED,
    f"{LIST}facets/?category=leaf-7&attributes=colour:red": 2 * COUNTED,
    f"{LIST}facets/?search=lantern": 2 * COUNTED,
    f"{LIST}{HOT}/": PAGE,
    f"{LIST}{HOT}/related/": PAGE,
    f"{LIST}{HOT}/reviews/": PAGE,
    f"{LIST}{HOT}/images/": PAGE,
    "/api/categories/": 0,
    "/api/attributes/": 0,
}
BY_STAFF = {
    f"{LIST}?low_stock=true": PAGE,
    f"{LIST}?active=all": PAGE,
    f"{LIST}?active=false": FILTERED,
    f"{LIST}{HOT}/stock/": LEDGER,
    f"{LIST}{HOT}/stock/movements/": LEDGER,
    f"{LIST}{HOT}/stock/movements/?kind=initial": LEDGER,
    "/api/bulk-operations/": PAGE,
}


@pytest.fixture
def catalogue(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(CATALOGUE)
        # Or what the trigram index has not sorted in yet would make the planner avoid it.
        cursor.execute("VACUUM product, search_word")
    yield
    # Or the tests after this one would plan for large tables.
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE category, attribute, search_word CASCADE")
        cursor.execute("VACUUM ANALYZE product")


def objections(caller: Caller, path: str, most: int) -> list[str]:
    """What is wrong with an address and, if there is one, the page behind it."""
    with connection.execute_wrapper(plans := Plans(LARGE)):
        body = decoded(caller.get(path))
    scans = [
        (scan["Node Type"], scan["Relation Name"], scan.get("Index Name"), rows_read(scan))
        for scan in plans.scans()
    ]
    has_whole_table = any(kind == "Seq Scan" for kind, *_rest in scans)
    is_fine = sum(rows for *_rest, rows in scans) <= most and not has_whole_table
    found = [] if is_fine else [f"{path} may read {most}: {scans}"]
    link = body.get("next") if isinstance(body, dict) and "cursor=" not in path else None
    return found + (objections(caller, link, max(most, PAGE)) if link else [])


def test_every_read_of_the_catalogue_reads_few_rows(
    catalogue: None, nobody: Caller, staff: Caller
) -> None:
    found = [
        objection
        for caller, paths in ((nobody, BY_EVERYBODY), (staff, BY_STAFF))
        for path, most in paths.items()
        for objection in objections(caller, path, most)
    ]

    assert not found, "\n".join(found)
    assert_planned_anew(nobody)


def assert_planned_anew(caller: Caller) -> None:
    """A plan for any text would follow the list's order: fine for many hits, a scan for none."""
    for text in ["zq"] * 10 + ["lantern"] * 10 + ["absent"] * 2:
        decoded(caller.get(f"{LIST}?search={text}"))

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%@@%'"
        )
        assert {generic for (generic,) in cursor.fetchall()} == {0}
