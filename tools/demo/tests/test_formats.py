"""Delimited text and workbooks: what csv and openpyxl write is read back, cell by cell."""

import csv
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from demo.columns import NotRetailFile, UnknownColumns
from demo.delimited import DELIMITERS, LONGEST_RECORD_LINES, find_encoding, text_table
from demo.workbook import workbook_tables

NAMES = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
]
CELLS = st.text(st.sampled_from("ab é€ü\"',;|\t\n."), max_size=12)
#: A record takes as many lines as the reader joins, at most.
ROWS = st.lists(
    st.lists(CELLS, min_size=6, max_size=6).filter(
        lambda cells: "".join(cells).count("\n") < LONGEST_RECORD_LINES
    ),
    max_size=6,
)
FIRST = "1"


def table_of(content: bytes):
    return text_table("", lambda: io.BytesIO(content))


def cells_of(table):
    return [record.cells for record in table.records if not record.problem]


def written(rows, delimiter=",", encoding="utf-8", end="\r\n"):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows([NAMES, *rows])
    return text.getvalue().encode(encoding)


def workbook_of(*sheets):
    """Return a workbook of (title, rows) as a stream."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("delimiter", DELIMITERS)
@given(rows=ROWS)
def test_rows_are_read_back_as_they_were_written(delimiter, rows):
    rows = [[FIRST, *row] for row in rows]

    table = table_of(written(rows, delimiter))

    assert table.delimiter == delimiter
    assert cells_of(table) == rows


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_encoding_is_found(encoding):
    rows = [
        ["1", "85123A", f"CAFÉ CUP {number}", "6", "2010-12-01", "£2.55", ""] for number in range(9)
    ]

    table = table_of(written(rows, encoding=encoding))

    assert cells_of(table) == rows
    assert table.form[1] == "commas"


@given(st.text(st.characters(max_codepoint=0x24F, exclude_categories=["Cc"]), min_size=1))
def test_whatever_is_utf8_is_read_as_utf8(text):
    assert find_encoding(io.BytesIO(text.encode())) == "utf-8"


def test_encoding_is_that_of_most_characters():
    mostly_utf8 = "é".encode() * 3 + "é".encode("cp1252")
    mostly_cp1252 = "é".encode() + "é x".encode("cp1252") * 3

    assert find_encoding(io.BytesIO(mostly_utf8)) == "utf-8"
    assert find_encoding(io.BytesIO(mostly_cp1252)) == "cp1252"


def test_records_are_numbered_by_their_first_line():
    rows = [["1", "a", "two\nlines", "", "", "", ""], ["2", "b", "", "", "", "", ""]]
    content = b"\n\nsep=,\n" + written(rows) + b"\n,,,,,,\n3,c,,,,,\n"

    assert [(each.number, each.cells[0]) for each in table_of(content).records] == [
        (5, "1"),
        (7, "2"),
        (10, "3"),
    ]


def test_quote_is_open_for_so_many_lines_at_most():
    cell = "x\n" * (LONGEST_RECORD_LINES - 1)
    fits, too_long = ([["1", "a", text, "", "", "", ""]] for text in (cell, cell + "x\n"))

    assert cells_of(table_of(written(fits, end="\n"))) == fits
    records = table_of(written(too_long, end="\n")).records
    assert next(records).problem == "an open quote"


def test_stray_quotes_in_the_last_column_join_no_lines():
    stray = b'1,a,,,,,"12\n2,b,,,,,"13\n'

    table = table_of(written([]) + stray)

    assert [each.cells[0] for each in table.records] == ["1", "2"]


def test_workbook_keeps_what_its_cells_are():
    moment = datetime(2010, 12, 1, 8, 26)  # noqa: DTZ001
    row = ["536365", 22633, "HEART", 6, moment, 2.55, None]

    (table,) = workbook_tables(workbook_of(("Sheet", [NAMES, row])))

    (record,) = table.records
    assert record.cells == [
        "536365",
        Decimal(22633),
        "HEART",
        Decimal(6),
        moment,
        Decimal("2.55"),
        "",
    ]
    assert (record.number, table.name, table.form) == (2, "", ["a workbook"])


def test_day_of_a_workbook_is_its_midnight_and_a_truth_is_a_text():
    row = ["1", True, 17850.0, 1e20, date(2010, 12, 1), -0.5, "x"]

    (table,) = workbook_tables(workbook_of(("Sheet", [NAMES, row])))

    midnight = datetime(2010, 12, 1, tzinfo=UTC).replace(tzinfo=None)
    assert next(table.records).cells == [
        "1", "True", Decimal(17850), Decimal(10**20), midnight, Decimal("-0.5"), "x"
    ]  # fmt: skip


@given(st.lists(st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9).map(lambda x: round(x, 4))))
def test_numbers_of_a_workbook_are_read_back(numbers):
    rows = [["1", "a", "b", number, "", "", ""] for number in numbers]

    (table,) = workbook_tables(workbook_of(("Sheet", [NAMES, *rows])))

    assert [float(each.cells[3]) for each in table.records] == [float(number) for number in numbers]


def test_sheets_in_other_columns_are_passed_over_and_the_others_are_named():
    row = ["1", "a", "b", 6, "", "", ""]
    sheets = [
        ("Notes", [["Source"], ["UCI"]]),
        ("2009", [NAMES, row]),
        ("Empty", []),
        ("2010", [NAMES]),
    ]

    tables = [
        (table.name, len(list(table.records))) for table in workbook_tables(workbook_of(*sheets))
    ]

    assert tables == [("2009", 1), ("2010", 0)]


def test_empty_rows_keep_the_numbers_of_the_others_and_short_rows_are_filled():
    rows = [NAMES, [None] * 7, ["1", "a"], [], ["2", "b"]]

    (table,) = workbook_tables(workbook_of(("Sheet", rows)))

    assert [(each.number, each.cells) for each in table.records] == [
        (3, ["1", "a", "", "", "", "", ""]),
        (5, ["2", "b", "", "", "", "", ""]),
    ]


def test_dimensions_that_a_program_wrote_wrong_hide_no_rows():
    rows = [NAMES, ["1", "a", "b", 6, "", "", "c"]]
    edited = io.BytesIO()
    with (
        zipfile.ZipFile(workbook_of(("Sheet", rows))) as book,
        zipfile.ZipFile(edited, "w") as copy,
    ):
        for name in book.namelist():
            copy.writestr(
                name, book.read(name).replace(b'<dimension ref="A1:G2"', b'<dimension ref="A1:B1"')
            )
    assert b"A1:B1" in edited.getvalue()

    (table,) = workbook_tables(edited)

    assert [each.cells[-1] for each in table.records] == ["c"]


def test_workbook_without_known_columns_is_refused():
    with pytest.raises(UnknownColumns, match="names no column for invoice"):
        list(workbook_tables(workbook_of(("Notes", [["Source"]]))))
    with pytest.raises(NotRetailFile, match="no workbook that can be read"):
        list(workbook_tables(io.BytesIO(b"PK\x05\x06" + bytes(18))))
