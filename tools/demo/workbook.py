"""Tables of a workbook (xlsx): every sheet in known columns, row by row."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from itertools import count
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook

from demo.columns import NotRetailFile, UnknownColumns, must_name_all, places_of
from demo.records import SHOWN_TEXT, Cell, Record, Table


def workbook_tables(stream: BinaryIO) -> Iterator[Table]:
    """Yield the sheets in known columns; others (notes, a summary) are passed over as long as there
    is one.

    Raises:
        NotRetailFile: there is none, or it is no workbook that can be read.
    """
    found, unknown = False, None
    with _told():
        sheets = _load(stream).worksheets
    for sheet in sheets:
        sheet.reset_dimensions()  # some programs write wrong dimensions
        try:
            table = _table(sheet.title if len(sheets) > 1 else "", _rows(sheet))
        except UnknownColumns as error:
            unknown = error
            continue
        found = True
        yield table
    if not found:
        raise unknown or NotRetailFile("the workbook has no sheet")


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the reader raises over a broken workbook into one sentence."""
    try:
        yield
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, ParseError) as error:
        raise NotRetailFile(
            f"it is no workbook that can be read: {type(error).__name__} {error}"
        ) from error


def _load(stream: BinaryIO) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions, which concern nobody here
        return load_workbook(stream, read_only=True, data_only=True, keep_links=False)


def _rows(sheet: Any) -> Iterator[tuple[int, list[Cell]]]:
    rows = sheet.iter_rows(values_only=True)
    for number in count(1):
        with _told():
            values = next(rows, None)
        if values is None:
            return
        if any(value is not None for value in values):
            yield number, [_cell(value) for value in values]


def _table(name: str, rows: Iterator[tuple[int, list[Cell]]]) -> Table:
    _, names = next(rows, (0, []))
    places = places_of([str(each) for each in names])
    must_name_all(places)
    return Table(name, places, _records(rows, len(names)), ["a workbook"])


def _records(rows: Iterator[tuple[int, list[Cell]]], width: int) -> Iterator[Record]:
    for number, cells in rows:
        padded = cells + [""] * (width - len(cells))
        yield Record(number, padded, "", " ".join(str(cell) for cell in cells)[:SHOWN_TEXT])


def _cell(value: object) -> Cell:
    """Dates and numbers stay what the workbook says they are; a whole number has no fraction."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = Decimal(repr(value))
        return Decimal(int(number)) if number.is_finite() and number == int(number) else number
    return str(value)
