"""Read a file in the columns of an edition of the Online Retail set; whatever is wrong with a line
is told, never fatal.

A table is read whole first; then each column gets one rule (date order, decimal mark), by which all
of its cells are read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import ParseError

from demo.amounts import NumberRule, number_rules
from demo.columns import NotRetailFile, UnknownColumns
from demo.dates import DateRule, date_rule
from demo.records import SHOWN_TEXT, Cell, Record, Table
from demo.tables import BROKEN, Source, tables_in, tables_of

__all__ = [
    "Line",
    "NotRetailFile",
    "RetailFile",
    "UnknownColumns",
    "WrongLine",
    "parse_retail",
    "read_retail_file",
]

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
#: What programs write for nothing.
NOTHING = frozenset(
    {"null", "nan", "none", "na", "n/a", "#n/a", "<na>", "nat", "nil", "-", "(null)"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line that reads well; whether it makes sense is the plan's business.

    `customer` is empty when it names none.
    """

    number: int
    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str
    table: str = ""


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that cannot be used: its number (1 is the header), the reason, and how it begins."""

    number: int
    reason: str
    text: str
    table: str = ""


@dataclass
class RetailFile:
    """All lines of a file: `lines` + `wrong` are the records after the header; empty lines are no
    records.

    `read_as` says for each table how it was read, the rules of its columns among it.
    """

    lines: list[Line] = field(default_factory=list)
    wrong: list[WrongLine] = field(default_factory=list)
    read_as: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        return len(self.lines) + len(self.wrong)


def read_retail_file(
    file: Path, *, dates: str | None = None, on_record: Callable[[], None] = lambda: None
) -> RetailFile:
    """Read the whole file; `dates` ("day first", "month first") overrides what would be found.

    Raises:
        NotRetailFile: it holds no table whose first line names the columns, or it cannot be
            unpacked.
        OSError: it cannot be read.
    """
    return _read(tables_in(file), dates, on_record)


def parse_retail(content: bytes, *, dates: str | None = None) -> RetailFile:
    """Parse the bytes of a file (see `read_retail_file`)."""
    return _read(tables_of(Source("", lambda: BytesIO(content))), dates, lambda: None)


def _read(tables: Iterable[Table], dates: str | None, on_record: Callable[[], None]) -> RetailFile:
    result = RetailFile()
    try:
        for table in tables:
            _add(result, table, dates, on_record)
    except (*BROKEN, ParseError) as error:
        raise NotRetailFile(f"it cannot be unpacked: {error}") from error
    return result


@dataclass
class _Columns:
    """The rows of a table, and the texts of the columns that need a rule with how often each is
    said.
    """

    rows: list[tuple[int, dict[str, Cell]]] = field(default_factory=list)
    texts: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in ("date", "price", "quantity")}
    )
    kept: dict[Cell, Cell] = field(default_factory=dict)

    def add(self, number: int, cells: dict[str, Cell]) -> None:
        # Half a million lines say few different things: each is kept once.
        self.rows.append(
            (number, {name: self.kept.setdefault(cell, cell) for name, cell in cells.items()})
        )
        for name, counter in self.texts.items():
            cell = cells[name]
            if isinstance(cell, str) and cell:
                counter[cell] += 1


@dataclass(frozen=True)
class _Rules:
    date: DateRule
    price: NumberRule
    quantity: NumberRule

    def __str__(self) -> str:
        marks = {str(self.price): None, str(self.quantity): None}
        return f"{self.date}, {', '.join(marks)}"


def _add(
    result: RetailFile, table: Table, dates: str | None, on_record: Callable[[], None]
) -> None:
    columns = _Columns()
    for record in table.records:
        on_record()
        if record.problem:
            result.wrong.append(WrongLine(record.number, record.problem, record.text, table.name))
        else:
            columns.add(record.number, _cells(record, table.places))
    price, quantity = number_rules(
        columns.texts["price"], columns.texts["quantity"], table.delimiter
    )
    rules = _Rules(date_rule(columns.texts["date"], dates), price, quantity)
    for number, cells in columns.rows:
        parsed = _parse_line(number, cells, rules, table.name)
        if isinstance(parsed, Line):
            result.lines.append(parsed)
        else:
            text = " ".join(str(cell) for cell in cells.values())[:SHOWN_TEXT]
            result.wrong.append(WrongLine(number, parsed, text, table.name))
    result.wrong.sort(key=lambda wrong: (wrong.table, wrong.number))
    result.read_as.append(
        ": ".join(filter(None, [table.name, ", ".join([*table.form, str(rules)])]))
    )


def _cells(record: Record, places: dict[str, int]) -> dict[str, Cell]:
    return {name: _plain(record.cells[place]) for name, place in places.items()}


def _plain(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    return "" if text.lower() in NOTHING else text


def _parse_line(number: int, cells: dict[str, Cell], rules: _Rules, table: str) -> Line | str:
    """Return the line, or what is wrong with it."""
    if any(isinstance(cell, str) and CONTROL.search(cell) for cell in cells.values()):
        return "control characters or broken encoding"
    if not cells["invoice"] or not cells["code"]:
        return "no invoice number" if not cells["invoice"] else "no stock code"
    quantity, price = (
        _number(cells["quantity"], rules.quantity),
        _number(cells["price"], rules.price),
    )
    if quantity is None or price is None or quantity != quantity.to_integral_value():
        return "quantity or price is not a number"
    at = _date(cells["date"], rules.date)
    if at is None:
        return "not a date"
    return Line(
        number=number,
        invoice=_id(cells["invoice"]),
        code=_id(cells["code"]),
        description=" ".join(_printable(str(cells["description"])).split()),
        quantity=int(quantity),
        at=at,
        price=price,
        customer=_id(cells["customer"]),
        country=str(cells.get("country", "")),
        table=table,
    )


def _id(cell: Cell) -> str:
    """Return an id as text: programs that see a number where ids have gaps write 17850.0."""
    return re.sub(r"^(\d+)[.,]0+$", r"\1", str(cell))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _number(cell: Cell, rule: NumberRule) -> Decimal | None:
    if isinstance(cell, str):
        return rule.read(cell)
    return cell if isinstance(cell, Decimal) and cell.is_finite() and cell.adjusted() < 15 else None


def _date(cell: Cell, rule: DateRule) -> datetime | None:
    if isinstance(cell, str):
        return rule.read(cell)
    if not isinstance(cell, datetime):
        return None
    return cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
