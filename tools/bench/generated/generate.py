"""Fill an empty products database: tables first, then their indexes, as a restored dump is."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from bench.generated import statements, words
from demo.progress import Progress

#: Products of one transaction.
AT_ONCE = 20_000
#: As products counts them (services/recommendations/popularity.py).
VIEWS_PER_UNIT = 10
FAST = (
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '256MB'",
    "SET jit = off",
)


def fill(connection: psycopg.Connection[Any], count: int) -> None:
    """Make `count` products, with all that the service would have made of them.

    The connection is one of autocommit to a database that has the service's tables and no rows.
    """
    for statement in (*FAST, statements.PREPARE):
        connection.execute(statement)
    indexes = connection.execute(statements.INDEXES, [statements.TABLES]).fetchall()
    steps: list[Callable[[], object]] = [
        lambda: _drop(connection, indexes),
        lambda: _make_categories(connection),
        *_batches(connection, count),
        lambda: connection.execute(statements.WORDS),
        *(_made(connection, definition) for _name, definition in indexes),
        # As autovacuum leaves a table that nobody writes to; then the disk is quiet.
        lambda: connection.execute("VACUUM (ANALYZE)"),
        lambda: connection.execute("CHECKPOINT"),
    ]
    progress = Progress(f"{count:,} products", len(steps))
    try:
        for step in steps:
            step()
            progress.step()
    finally:
        progress.close()


def vocabulary(count: int) -> dict[str, Any]:
    """Return what the statements draw from, for so many products."""
    found: dict[str, Any] = {
        "sentences": list(words.SENTENCES),
        "german_sentences": list(words.GERMAN_SENTENCES),
        "brands": [brand.capitalize() for brand in words.brands(count)],
        "leaves": words.leaves(),
        "per_unit": VIEWS_PER_UNIT,
        "total": count,
        "newest": datetime.now(UTC),
    }
    for name, pairs in (
        ("colours", words.COLOURS),
        ("materials", words.MATERIALS),
        ("things", words.THINGS),
    ):
        found |= {name: list(pairs), f"german_{name}": list(pairs.values())}
    return found


def _batches(connection: psycopg.Connection[Any], count: int) -> list[Callable[[], None]]:
    drawn_from = vocabulary(count)

    def made(first: int) -> Callable[[], None]:
        numbers = {"first": first, "last": min(first + AT_ONCE - 1, count)}
        return lambda: _make_products(connection, drawn_from | numbers)

    return [made(first) for first in range(1, count + 1, AT_ONCE)]


def _make_products(connection: psycopg.Connection[Any], parameters: dict[str, Any]) -> None:
    with connection.transaction():
        for statement in statements.OF_PRODUCTS:
            connection.execute(statement, parameters)


def _make_categories(connection: psycopg.Connection[Any]) -> None:
    rows = [(number, slug, slug, parent) for number, parent, slug in words.categories()]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(statements.CATEGORY, rows)
        cursor.execute(statements.ATTRIBUTES)


def _drop(connection: psycopg.Connection[Any], indexes: list[Any]) -> None:
    with connection.transaction():
        for name, _definition in indexes:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))


def _made(connection: psycopg.Connection[Any], definition: str) -> Callable[[], object]:
    return lambda: connection.execute(definition)  # PostgreSQL's own words
