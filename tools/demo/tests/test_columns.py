"""One rule per column: a cell is read by its whole column, and what was assumed is told."""

from datetime import datetime
from decimal import Decimal

import pytest

from demo.lines import UnknownColumns, parse_retail

HEADER = "InvoiceNo;StockCode;Description;Quantity;InvoiceDate;UnitPrice;CustomerID;Country\n"


def read(*cells, **options):
    """Read lines of (quantity, date, price)."""
    rows = [
        f"{number};85123A;HEART;{quantity};{date};{price};17850;UK\n"
        for number, (quantity, date, price) in enumerate(cells, start=1)
    ]
    return parse_retail((HEADER + "".join(rows)).encode(), **options)


def dates_of(*texts, **options):
    return [line.at for line in read(*(("6", text, "2.55") for text in texts), **options).lines]


def numbers_of(*pairs):
    return [
        (line.quantity, line.price)
        for line in read(*((left, "2010-12-01", right) for left, right in pairs)).lines
    ]


@pytest.mark.parametrize(
    "text",
    [
        "12/13/10 8:26",
        "12/13/2010 8:26:00 AM",
        "12-13-2010 08:26",
        "2010-12-13T08:26:00Z",
        "2010-12-13 09:26:00+01:00",
        "13-Dec-10 8:26",
        "Dec 13, 2010 8:26 AM",
    ],
)
def test_date_of_every_form_is_read(text):
    assert dates_of(text) == [datetime(2010, 12, 13, 8, 26)]  # noqa: DTZ001


def test_one_date_decides_for_its_whole_column():
    assert [at.day for at in dates_of("01.12.2010 8:26", "13.12.2010 8:26")] == [1, 13]
    assert [at.month for at in dates_of("1/12/2010 8:26", "1/13/2010 8:26")] == [1, 1]


def test_date_by_another_rule_than_its_column_is_listed():
    file = read(*(("6", text, "2.55") for text in ("12/13/2010", "12/14/2010", "13/12/2010")))

    assert [(wrong.number, wrong.reason) for wrong in file.wrong] == [(4, "not a date")]


def test_undecided_order_is_the_one_whose_dates_lie_closer_and_is_told():
    file = read(("6", "01/12/2010", "2.55"), ("6", "05/12/2010", "2.55"))

    assert [line.at.month for line in file.lines] == [12, 12]
    assert "day first (assumed: 01/12/2010 can be read both ways" in file.read_as[0]


def test_order_that_is_asked_for_is_taken():
    assert [at.month for at in dates_of("01/12/2010", "05/12/2010", dates="month first")] == [1, 5]


@pytest.mark.parametrize("text", ["13:00 PM", "0:30 AM", "25:00", "8:61"])
def test_time_that_no_clock_shows_is_listed(text):
    assert not dates_of(f"12/13/2010 {text}")


def test_thousands_are_never_fractions():
    assert numbers_of(("1,200", "1,234.50"), ("6", "2.55")) == [
        (1200, Decimal("1234.50")),
        (6, Decimal("2.55")),
    ]
    assert numbers_of(("1.200", "1.234,50"), ("6", "2,55")) == [
        (1200, Decimal("1234.50")),
        (6, Decimal("2.55")),
    ]


def test_number_by_another_rule_than_its_column_is_listed():
    file = read(
        ("6", "2010-12-01", "2.55"), ("6", "2010-12-01", "3.39"), ("6", "2010-12-01", "2,55")
    )

    assert [wrong.number for wrong in file.wrong] == [4]


def test_number_that_nothing_decides_is_told():
    assert "assumed: 1,234 can be read both ways" in read(("6", "2010-12-01", "1,234")).read_as[0]


@pytest.mark.parametrize("text", ["£2.55", "2.55 €", "$2.55", "+2.55"])
def test_currency_says_nothing(text):
    assert numbers_of(("6", text)) == [(6, Decimal("2.55"))]


@pytest.mark.parametrize("text", ["NULL", "nan", "N/A", "None", " "])
def test_customer_of_nothing_is_nobody(text):
    row = f"1;85123A;HEART;6;2010-12-01;2.55;{text};UK\n"

    assert parse_retail((HEADER + row).encode()).lines[0].customer == ""


def test_unknown_columns_are_told_which_editions_are_known():
    with pytest.raises(UnknownColumns, match=r"Online Retail II .*TransactionNo"):
        parse_retail(b"a,b\n1,2\n")
