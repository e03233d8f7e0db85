"""docs/security.md names a test for each threat and requirement: every one of them is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/-]+\.py)::(\w+)`", PAGE)))
#: Requirements of each chapter and section of ASVS 5.0 (6: where there is a test).
CHAPTERS = {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2, "9.1": 3, "9.2": 4}


@cache
def functions_of(path: str) -> set[str]:
    """The test functions of a file."""
    file = REPOSITORY / path
    tree = ast.parse(file.read_text()) if file.exists() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def first_cells(pattern: str) -> list[str]:
    """The first cells of the page's tables that look like this."""
    return re.findall(rf"^\| ({pattern}) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_test_that_the_page_names_exists(path: str, name: str) -> None:
    assert name in functions_of(path), f"{path} has no {name}: correct docs/security.md"


def test_every_threat_to_tokens_has_a_row() -> None:
    assert first_cells(r"T\d+") == [f"T{number}" for number in range(1, 38)]


def test_every_threat_to_tokens_has_a_test_at_the_gateway_and_at_a_service() -> None:
    rows = re.findall(r"^\| (T\d+) \|[^|]*\|([^|]*)\|([^|]*)\|$", PAGE, re.MULTILINE)

    # What the gateway only passes on is users' alone.
    untested = {
        row
        for row, *cells in rows
        if not all("by row" in c or "::test_" in c or "passes it on" in c for c in cells)
    }
    assert (len(rows), untested) == (37, set())


def test_rows_that_are_sent_by_row_are_those_of_the_page() -> None:
    text = (REPOSITORY / "services/servicekit/servicekit/testing/token_rows.py").read_text()
    by_row = re.findall(r"^\| (T\d+) \|.*by row", PAGE, re.MULTILINE)

    assert set(re.findall(r'^    "(T\d+)": ', text, re.MULTILINE)) == set(by_row)


def test_every_requirement_of_the_chapters_has_a_line() -> None:
    listed = first_cells(r"[79]\.\d\.\d+")

    assert listed == [f"{name}.{n}" for name, last in CHAPTERS.items() for n in range(1, last + 1)]
    assert len(first_cells(r"6\.\d\.\d+")) >= 12
