"""Read a file in the columns of the UCI Online Retail set, line by line; whatever is wrong with a line is told, never fatal.

Both editions of the set are understood (`InvoiceNo … CustomerID` and `Invoice … Customer ID`), in any order of columns, separated by
comma, semicolon or tab, with or without a byte-order mark, ending in LF, CRLF or CR, in UTF-8; a line that is not UTF-8 is read as Latin-1.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

COLUMNS = {
    "invoice": ("invoiceno", "invoice", "invoicenumber"),
    "code": ("stockcode",),
    "description": ("description",),
    "quantity": ("quantity",),
    "date": ("invoicedate",),
    "price": ("unitprice", "price"),
    "customer": ("customerid",),
    "country": ("country",),
}
DATE_FORMATS = (
    "%m/%d/%Y %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
)
#: A quoted description may hold line ends; a quote that is still open after this many lines is a stray one.
LONGEST_RECORD_LINES = 10
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


class NotRetailFile(ValueError):
    """The file is not one in these columns at all."""


@dataclass(frozen=True)
class Line:
    """One line that reads well; whether it makes sense is the plan's business. `customer` is empty when it names none."""

    number: int
    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str


@dataclass(frozen=True)
class WrongLine:
    """A line that cannot be used: its number (1 is the header), the reason, and how it begins."""

    number: int
    reason: str
    text: str


@dataclass
class RetailFile:
    """All lines of a file: `lines` + `wrong` are the records after the header; empty lines are no records."""

    lines: list[Line] = field(default_factory=list)
    wrong: list[WrongLine] = field(default_factory=list)
    latin_lines: list[int] = field(default_factory=list)

    @property
    def records(self) -> int:
        return len(self.lines) + len(self.wrong)


def read_retail_file(file: Path) -> RetailFile:
    """Read the whole file.

    Raises:
        NotRetailFile: it is empty, or its first line does not name the columns.
        OSError: it cannot be read.
    """
    return parse_retail(file.read_bytes())


def parse_retail(content: bytes) -> RetailFile:
    """Parse the bytes of a file (see `read_retail_file`)."""
    result = RetailFile()
    texts = _texts(content, result.latin_lines)
    header = next(((number, text) for number, text in enumerate(texts, start=1) if text.strip()), None)
    if header is None:
        raise NotRetailFile("the file is empty")
    number, text = header
    delimiter, places, width = _columns(text)
    for first, fields, raw in _records(texts[number:], number + 1, delimiter, width):
        if fields is None or len(fields) != width:
            count = "an open quote" if fields is None else f"{len(fields)} columns instead of {width}"
            result.wrong.append(WrongLine(first, count, raw[:80]))
            continue
        parsed = _parse_line(first, {name: fields[place].strip() for name, place in places.items()})
        if isinstance(parsed, Line):
            result.lines.append(parsed)
        else:
            result.wrong.append(WrongLine(first, parsed, raw[:80]))
    return result


def _texts(content: bytes, latin_lines: list[int]) -> list[str]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").splitlines()
    texts = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            texts.append(raw.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append(raw.decode("latin-1"))
            latin_lines.append(number)
    return texts


def _columns(header: str) -> tuple[str, dict[str, int], int]:
    delimiter = max(",;\t", key=header.count)
    names = [re.sub(r"[^a-z]", "", name.lower()) for name in next(csv.reader([header], delimiter=delimiter))]
    places = {
        column: next((names.index(name) for name in known if name in names), -1)
        for column, known in COLUMNS.items()
    }
    missing = [column for column, place in places.items() if place < 0 and column != "country"]
    if missing:
        raise NotRetailFile(f"the first line names no column for {', '.join(missing)}")
    return delimiter, {column: place for column, place in places.items() if place >= 0}, len(names)


def _records(
    texts: list[str], first_number: int, delimiter: str, width: int
) -> Iterator[tuple[int, list[str] | None, str]]:
    """Yield (line number, fields or None, text): lines are joined only when a quote is open and joining makes a record."""
    index = 0
    while index < len(texts):
        taken, fields = _record_at(texts, index, delimiter, width)
        raw = texts[index]
        if raw.strip():
            yield first_number + index, fields, raw
        index += taken


def _record_at(texts: list[str], index: int, delimiter: str, width: int) -> tuple[int, list[str] | None]:
    alone = _fields(texts[index], delimiter)
    if (alone is not None and len(alone) == width) or texts[index].count('"') % 2 == 0:
        return 1, alone
    joined = texts[index]
    for more in range(1, min(LONGEST_RECORD_LINES, len(texts) - index)):
        joined += "\n" + texts[index + more]
        fields = _fields(joined, delimiter) if joined.count('"') % 2 == 0 else None
        if fields is not None and len(fields) == width:
            return more + 1, fields
    return 1, None


def _fields(text: str, delimiter: str) -> list[str] | None:
    try:
        rows = list(
            csv.reader(text.split("\n") if "\n" not in text else _kept_ends(text), delimiter=delimiter)
        )
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else ([] if not rows else None)


def _kept_ends(text: str) -> list[str]:
    return [part + "\n" for part in text.split("\n")]


def _parse_line(number: int, fields: dict[str, str]) -> Line | str:
    """Return the line, or what is wrong with it."""
    if any(CONTROL.search(value) for value in fields.values()):
        return "control characters or broken encoding"
    if not fields["invoice"] or not fields["code"]:
        return "no invoice number" if not fields["invoice"] else "no stock code"
    try:
        quantity = _whole_number(fields["quantity"])
        price = _decimal(fields["price"])
    except (InvalidOperation, ValueError):
        return "quantity or price is not a number"
    at = _date(fields["date"])
    if at is None:
        return "not a date"
    return Line(
        number=number,
        invoice=fields["invoice"],
        code=fields["code"],
        description=" ".join(_printable(fields["description"]).split()),
        quantity=quantity,
        at=at,
        price=price,
        # pandas writes numbers with gaps as 17850.0
        customer=re.sub(r"^(\d+)\.0+$", r"\1", fields["customer"]),
        country=fields.get("country", ""),
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _decimal(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?\d{1,15}([.,]\d{1,15})?", text, re.ASCII):
        raise ValueError(text)
    return Decimal(text.replace(",", "."))


def _whole_number(text: str) -> int:
    number = _decimal(text)
    if number != number.to_integral_value():
        raise ValueError(text)
    return int(number)


def _date(text: str) -> datetime | None:
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  the file has no zone; only the order matters
        except ValueError:
            continue
    return None
