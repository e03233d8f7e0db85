"""A generated catalogue is one that the service could have made."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from bench.generated import words
from bench.generated.calls import KINDS, calls
from bench.generated.servers import Catalogues

SIZE = 500
#: What there must be none of, each as a query for it.
DISAGREEMENTS = {
    "stock that is not the sum of its ledger": """
        SELECT id FROM product WHERE stock <> coalesce(
            (SELECT sum(quantity) FROM stock_movement WHERE product_id = product.id), 0)""",
    "ratings that are not those of the reviews": """
        SELECT id FROM product WHERE (rating_count, rating_average) <> (
            SELECT count(*), coalesce(round(avg(rating), 2), 0)
            FROM review WHERE product_id = product.id)""",
    "reviews by somebody who has not bought the product": """
        SELECT id FROM review WHERE NOT EXISTS (
            SELECT FROM purchase WHERE (product_id, customer_id)
                = (review.product_id, review.customer_id))""",
    "popularity that is not that of sales and views": """
        SELECT id FROM product WHERE popularity <>
            10 * coalesce((SELECT sum(units) FROM product_sales WHERE product_id = product.id), 0)
            + coalesce((SELECT sum(views) FROM product_views WHERE product_id = product.id), 0)""",
    "low stock without an alert, or an alert without": """
        SELECT id FROM product WHERE (low_stock_threshold > 0 AND stock <= low_stock_threshold)
            <> EXISTS (SELECT FROM stock_alert WHERE product_id = product.id)""",
    "words of names that are not known": r"""
        SELECT word FROM product, regexp_split_to_table(lower(name), '\s') AS word
        WHERE word NOT IN (SELECT word FROM search_word)""",
    "products of a category that has others below it": """
        SELECT id FROM product WHERE category_id IN (SELECT parent_id FROM category)""",
    "ids that do not follow the time": """
        SELECT FROM (SELECT id, lag(id) OVER (ORDER BY created_at) AS before FROM product) AS each
        WHERE id < before""",
}
#: All that a customer or staff can see of a shop's variety.
VARIETIES = {
    "out of stock": "SELECT FROM product WHERE stock = 0",
    "rated": "SELECT FROM product WHERE rating_count > 1",
    "popular": "SELECT FROM product WHERE popularity > 0",
    "reduced": "SELECT FROM product WHERE compare_at_price IS NOT NULL",
    "in German": "SELECT FROM product WHERE translations #>> '{de,name}' <> ''",
    "low": "SELECT FROM stock_alert",
}


@pytest.fixture(scope="module")
def catalogue(catalogues: Catalogues) -> Iterator[psycopg.Connection]:
    catalogues.make(SIZE)
    with psycopg.connect(catalogues.url(SIZE), autocommit=True) as connection:
        yield connection


def indexes(connection: psycopg.Connection) -> list[str]:
    query = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
    return [definition for (definition,) in connection.execute(query)]


def test_catalogue_has_as_many_products_as_asked_for(catalogue: psycopg.Connection) -> None:
    found = catalogue.execute("SELECT count(*), count(DISTINCT slug) FROM product").fetchone()

    assert found == (SIZE, SIZE)


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_catalogue_agrees_with_itself(catalogue: psycopg.Connection, name: str) -> None:
    assert catalogue.execute(DISAGREEMENTS[name]).fetchall() == []


@pytest.mark.parametrize("name", VARIETIES)
def test_catalogue_has_all_kinds_of_products(catalogue: psycopg.Connection, name: str) -> None:
    assert catalogue.execute(VARIETIES[name]).fetchall()


def test_catalogue_has_every_index_of_the_service(
    catalogues: Catalogues, catalogue: psycopg.Connection, server: str
) -> None:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE bench_catalogue_0")
    catalogues.migrate(0)

    with psycopg.connect(catalogues.url(0)) as migrated:
        assert indexes(catalogue) == indexes(migrated)


def test_catalogue_that_is_whole_is_found_again(
    catalogues: Catalogues, catalogue: psycopg.Connection
) -> None:
    assert catalogues.make(SIZE) == 0.0


def test_catalogue_that_was_cut_off_is_made_anew(catalogues: Catalogues, server: str) -> None:
    name = sql.Identifier("bench_catalogue_30")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))

    catalogues.make(30)

    with psycopg.connect(catalogues.url(30)) as connection:
        assert connection.execute("SELECT count(*) FROM product").fetchone() == (30,)


def test_requests_are_the_same_for_each_size() -> None:
    few, many = calls([str(n) for n in range(20)], "deep"), calls([str(n) for n in range(999)], "x")

    assert tuple(few) == KINDS
    for kind in set(KINDS) - {"deep page", "product"}:
        assert few[kind] == many[kind], kind


def test_only_the_lowest_categories_have_products() -> None:
    assert len(words.leaves()) == 8 * 5 * 5
    assert len(words.categories()) == 8 + 8 * 5 + 8 * 5 * 5
