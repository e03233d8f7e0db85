"""Tables of text: encoding and delimiter are found from the whole file and from its first line,
then it is read line by line.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO

from demo.columns import NotRetailFile, must_name_all, places_of
from demo.records import SHOWN_TEXT, Record, Table

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: A quoted description may hold line ends; a quote that is still open after this many lines is a
#: stray one.
LONGEST_RECORD_LINES = 10
LONGEST_LINE = 1 << 16
CHUNK = 1 << 20
START = 200
#: What `surrogateescape` makes of a byte that is no UTF-8.
NOT_UTF8 = re.compile("[\udc80-\udcff]")
BEYOND_ASCII = re.compile("[^\x00-\x7f\udc80-\udcff]")


def text_table(name: str, open_stream: Callable[[], BinaryIO]) -> Table:
    """Return the table of a text; its records read the stream while they are asked for.

    Raises:
        NotRetailFile: it is empty, or its first line names other columns.
    """
    with open_stream() as stream:
        encoding = find_encoding(stream)
    lines = _lines(io.TextIOWrapper(open_stream(), encoding=encoding, errors="replace"))
    number, header = _header(lines)
    delimiter = max(
        DELIMITERS, key=lambda each: (len(places_of(_names(header, each))), header.count(each))
    )
    names = _names(header, delimiter)
    places = places_of(names)
    must_name_all(places)
    form = [
        encoding.removesuffix("-sig").upper().replace("CP1252", "Windows-1252"),
        DELIMITERS[delimiter],
    ]
    return Table(name, places, _records(lines, number + 1, delimiter, len(names)), form, delimiter)


def find_encoding(stream: BinaryIO) -> str:
    """Return the one encoding of a whole file: by its mark, else UTF-8 if that fits most of what is
    not ASCII, else Windows-1252.
    """
    chunk = stream.read(CHUNK)
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if chunk.startswith(mark):
            return encoding
    start = chunk[:START]
    if 3 * start.count(0) > len(start):  # every other byte of plain English in UTF-16
        return "utf-16-be" if start[0] == 0 else "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    fits = misfits = 0
    while chunk:
        text = decoder.decode(chunk)
        if not text.isascii():
            misfits += len(NOT_UTF8.findall(text))
            fits += len(BEYOND_ASCII.findall(text))
        chunk = stream.read(CHUNK)
    misfits += len(decoder.decode(b"", final=True))
    return "utf-8" if fits >= misfits else "cp1252"


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    with text:
        for number, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), ""), start=1):
            if len(line) >= LONGEST_LINE:
                raise NotRetailFile(
                    f"line {number} is longer than {LONGEST_LINE} characters: this is no table"
                )
            yield line.rstrip("\n")


def _header(lines: Iterator[str]) -> tuple[int, str]:
    """Return the first line that says something, with its number; Excel's `sep=;` before it does
    not.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip() and not re.fullmatch(r"sep=.", line.strip(), re.IGNORECASE):
            return number, line
    raise NotRetailFile("it is empty")


def _names(header: str, delimiter: str) -> list[str]:
    return _fields(header, delimiter) or []


def _records(lines: Iterator[str], number: int, delimiter: str, width: int) -> Iterator[Record]:
    """Yield the records; empty lines are none, nor are lines of nothing but delimiters."""
    ahead: deque[str] = deque()
    while _fill(ahead, lines, 1):
        taken, fields = _record_at(ahead, lines, delimiter, width)
        text = ahead[0]
        for _ in range(taken):
            ahead.popleft()
        if text.strip(f" {delimiter}\t"):
            yield _record(number, fields, width, text[:SHOWN_TEXT])
        number += taken


def _record(number: int, fields: list[str] | None, width: int, text: str) -> Record:
    if fields is None:
        return Record(number, [], "an open quote", text)
    if len(fields) != width:
        return Record(number, [], f"{len(fields)} columns instead of {width}", text)
    return Record(number, [*fields], "", text)


def _fill(ahead: deque[str], lines: Iterator[str], count: int) -> bool:
    """Whether there are `count` lines ahead."""
    while len(ahead) < count:
        line = next(lines, None)
        if line is None:
            return False
        ahead.append(line)
    return True


def _record_at(
    ahead: deque[str], lines: Iterator[str], delimiter: str, width: int
) -> tuple[int, list[str] | None]:
    """Return how many lines the next record takes, and its fields; None: a quote stays open.

    Lines are joined only when a quote is open and joining them makes a record.
    """
    joined = ahead[0]
    alone = _fields(joined, delimiter)
    if joined.count('"') % 2 == 0:
        return 1, alone
    # With its quote in the last column the line has all columns by itself already: only quotes
    # that are exactly right make it the beginning of a longer record.
    is_whole = alone is not None and len(alone) == width
    for more in range(1, LONGEST_RECORD_LINES):
        if not _fill(ahead, lines, more + 1):
            break
        joined += "\n" + ahead[more]
        if joined.count('"') % 2:
            continue
        fields = _fields(joined, delimiter, strict=is_whole)
        if fields is not None and len(fields) == width:
            return more + 1, fields
    return 1, alone if is_whole else None


def _fields(text: str, delimiter: str, *, strict: bool = False) -> list[str] | None:
    """Return the fields of a record; None if it is several records, or `strict` and malformed."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict))
    except csv.Error:
        return None
    if len(rows) != 1:
        return None if rows else []
    return rows[0]
