"""Reading lines: what is wrong is told with its line number; the lines around it are read."""

from decimal import Decimal

import pytest

from demo.lines import NotRetailFile, parse_retail

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
GOOD = "536365,85123A,WHITE HANGING HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n"


def parse(text: str):
    return parse_retail(text.encode())


def test_good_line_is_read_whole():
    (line,) = parse(HEADER + GOOD).lines

    assert (line.number, line.invoice, line.code, line.quantity) == (2, "536365", "85123A", 6)
    assert (line.price, line.customer, line.country) == (Decimal("2.55"), "17850", "United Kingdom")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_and_a_byte_order_mark_are_understood(end):
    file = parse_retail(b"\xef\xbb\xbf" + (HEADER + GOOD + GOOD).replace("\n", end).encode())

    assert [line.number for line in file.lines] == [2, 3]


def test_utf16_is_understood():
    assert len(parse_retail((HEADER + GOOD).encode("utf-16")).lines) == 1


def test_other_edition_other_order_and_semicolons_are_understood():
    header = "Customer ID;Invoice;StockCode;Description;Quantity;Price;InvoiceDate\n"

    (line,) = parse(header + "17850.0;489434;85048;LIGHTS;12;6,95;2009-12-01 07:45:00\n").lines

    assert (line.invoice, line.customer, line.price) == ("489434", "17850", Decimal("6.95"))


def test_quoted_commas_quotes_and_line_ends_stay_in_the_description():
    text = (
        HEADER
        + '1,10002,"A, ""B"" C",1,12/1/2010 8:26,1,,UK\n'
        + '2,10002,"TWO\nLINES",1,12/1/2010 8:26,1,,UK\n'
        + GOOD
    )

    file = parse(text)

    assert [line.description for line in file.lines] == [
        'A, "B" C',
        "TWO LINES",
        "WHITE HANGING HEART",
    ]
    assert [line.number for line in file.lines] == [2, 3, 5]


def test_stray_quote_spoils_its_own_line_only():
    text = HEADER + '1,10002,"12 INCH RULER,1,12/1/2010 8:26,1,,UK\n' + GOOD * 12

    file = parse(text)

    assert [(wrong.number, wrong.reason) for wrong in file.wrong] == [(2, "an open quote")]
    assert len(file.lines) == 12


def test_file_that_is_not_utf8_is_read_as_windows1252_and_says_so():
    file = parse_retail((HEADER + GOOD).encode() + GOOD.replace("WHITE", "CAFÉ").encode("latin-1"))

    assert file.lines[1].description == "CAFÉ HANGING HEART"
    assert file.read_as[0].startswith("Windows-1252, commas")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("1,2,3\n", "3 columns instead of 8"),
        (GOOD.rstrip() + ",more\n", "9 columns instead of 8"),
        (GOOD.replace(",6,", ",six,"), "quantity or price is not a number"),
        (GOOD.replace(",6,", ",6.5,"), "quantity or price is not a number"),
        (GOOD.replace(",6,", ",٦,"), "quantity or price is not a number"),
        (GOOD.replace("2.55", "NaN"), "quantity or price is not a number"),
        (GOOD.replace("2.55", "1e400"), "quantity or price is not a number"),
        (GOOD.replace("2.55", ""), "quantity or price is not a number"),
        (GOOD.replace("12/1/2010", "31/31/2010"), "not a date"),
        (GOOD.replace("536365", ""), "no invoice number"),
        (GOOD.replace("85123A", " "), "no stock code"),
        (GOOD.replace("HANGING", "HANG\x00ING"), "control characters or broken encoding"),
    ],
)
def test_wrong_line_is_listed_and_its_neighbours_are_read(wrong, reason):
    file = parse(HEADER + GOOD + wrong + GOOD)

    assert [(each.number, each.reason) for each in file.wrong] == [(3, reason)]
    assert [line.number for line in file.lines] == [2, 4]
    assert file.records == 3


def test_empty_lines_are_no_records():
    assert parse(HEADER + "\n" + GOOD + "\n\n").records == 1


@pytest.mark.parametrize("content", ["", "\n\n", "a,b,c\n1,2,3\n", GOOD])
def test_file_without_these_columns_is_refused(content):
    with pytest.raises(NotRetailFile):
        parse(content)
