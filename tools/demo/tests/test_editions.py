"""Every edition of the set that people have: each small file here is read whole, and to the same
plan.
"""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from demo.lines import read_retail_file
from demo.retail import plan_replay

EDITIONS = sorted(
    path for path in (Path(__file__).parent / "editions").iterdir() if path.suffix != ".md"
)
ONCE = [path for path in EDITIONS if path.name != "online-retail-ii.xlsx"]


@pytest.mark.parametrize("path", ONCE, ids=lambda path: path.name)
def test_edition_is_read_whole(path: Path):
    file = read_retail_file(path)

    assert file.wrong == []
    lines = sorted(
        file.lines, key=lambda line: (line.at.date(), line.invoice.lstrip("C"), line.code)
    )
    assert [line.quantity for line in lines] == [6, 4, 12, 1200, -12, -9, 1]
    assert [line.customer for line in lines] == [
        "91850",
        "91850",
        "91851",
        "",
        "91851",
        "91850",
        "91851",
    ]
    assert {line.price for line in lines if line.code == "91003"} == {Decimal("1234.50")}
    assert {line.description for line in lines if line.code == "91003"} == {"CAFÉ CUP"}
    assert {line.code for line in lines} == {"91001A", "91002", "91003", "POST"}


@pytest.mark.parametrize("path", ONCE, ids=lambda path: path.name)
def test_dates_of_an_edition_are_those_of_december_2010(path: Path):
    days = [line.at for line in read_retail_file(path).lines]

    assert {(day.year, day.month) for day in days} == {(2010, 12)}
    assert max(days).date() - min(days).date() == timedelta(days=14)


@pytest.mark.parametrize("path", ONCE, ids=lambda path: path.name)
def test_plan_of_an_edition_is_the_same_whatever_its_form(path: Path):
    plan = plan_replay(read_retail_file(path))

    assert plan.sums_up()
    assert Counter(order.line_count for order in plan.orders) == {2: 1, 1: 2}
    assert sum(count for order in plan.orders for _, count in order.units) == 6 + 4 + 12 + 1200
    assert sorted(str(each.cancels is not None) for each in plan.returns) == ["False", "True"]
    assert [each.reason for each in plan.skipped_lines] == ["code is no product"]


def test_second_sheet_repeats_no_invoice_of_the_first():
    path = next(path for path in EDITIONS if path.name == "online-retail-ii.xlsx")

    plan = plan_replay(read_retail_file(path))

    assert plan.sums_up()
    assert len(plan.orders) == 6
    repeated = [each.what for each in plan.skipped_lines if "earlier" in each.reason]
    assert repeated == ["Year 2010-2011 line 2", "Year 2010-2011 line 3"]


def test_zone_is_taken_into_account():
    path = next(path for path in EDITIONS if path.name == "iso-zone-utf16.txt")

    assert min(line.at for line in read_retail_file(path).lines) == datetime(2010, 12, 5, 7, 26)  # noqa: DTZ001
