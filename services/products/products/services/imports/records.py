"""The records of a file, from any byte of it on: lines of CSV or of JSON, elements of an array.

Nothing is longer in memory than the longest record that is taken, whatever the file holds. A record
that cannot be read is a fault of its own, and the next is read.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from products.services.bulk.outcomes import LeftAlone
from servicekit.http import strict_json

#: A description of 10,000 characters, each of four bytes and escaped, with room for the rest.
MAX_RECORD_BYTES = 256 * 1024
#: Pieces of the file from a byte of it on.
Source = Callable[[int], Iterator[bytes]]
STRUCTURE = re.compile(rb'["\[\]{},]')
STRING_END = re.compile(rb'["\\]')
OPENING, CLOSING = b"[{", b"]}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record begins: bytes and lines (of an array: elements) before it."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A record, the line in which it begins, and where the next begins; `fault` if it is none."""

    line: int
    next: Place
    content: Any = None
    fault: LeftAlone | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its end; of one that is too long the beginning alone, and its true length."""

    data: bytes
    length: int

    @property
    def is_too_long(self) -> bool:
        return self.length > MAX_RECORD_BYTES


def too_long() -> LeftAlone:
    """Return why a record that is too long is left."""
    detail = f"More than {MAX_RECORD_BYTES >> 10} KiB: is a quotation mark not closed?"
    return LeftAlone("line_too_long", detail)


def read_csv(source: Source, place: Place, *, delimiter: str) -> Iterator[Record]:
    """Yield each record as its cells; empty lines are none."""
    while True:
        reader = _CsvReader(source, place, delimiter)
        yield from reader.records()
        if reader.broken is None:
            return
        place = reader.after_broken_line
        yield Record(reader.start.line + 1, place, fault=reader.broken)


class _CsvReader:
    """Reads records until one is broken: then the line after its first is where to go on."""

    def __init__(self, source: Source, place: Place, delimiter: str) -> None:
        self.start = self.after_broken_line = place
        self.broken: LeftAlone | None = None
        self._now = place
        self._lines = _lines(source(place.offset))
        self._reader = csv.reader(self._texts(), delimiter=delimiter)

    def records(self) -> Iterator[Record]:
        csv.field_size_limit(MAX_RECORD_BYTES)
        while True:
            self.start = self._now
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except LeftAlone as reason:
                self.broken = reason
                return
            except csv.Error as error:
                self.broken = LeftAlone("unreadable_line", f"Not CSV: {error}.")
                return
            if any(cells):
                yield Record(self.start.line + 1, self._now, cells)

    def _texts(self) -> Iterator[str]:
        for line in self._lines:
            if self._now == self.start:
                self.after_broken_line = _past(self._now, line)
            self._now = _past(self._now, line)
            if line.is_too_long or self._now.offset - self.start.offset > MAX_RECORD_BYTES:
                raise too_long()
            yield line.data.decode("utf-8", "replace")


def read_json_lines(source: Source, place: Place) -> Iterator[Record]:
    """Yield the value of each line; blank lines are none."""
    for line in _lines(source(place.offset)):
        number, place = place.line + 1, _past(place, line)
        if line.is_too_long:
            yield Record(number, place, fault=too_long())
        elif line.data.strip():
            yield _json_record(number, place, line.data)


def read_json_array(source: Source, place: Place) -> Iterator[Record]:
    """Yield the value of each element of an array, which begins before `place`."""
    splitter = _ArraySplitter(place)
    for piece in source(place.offset):
        yield from splitter.feed(piece)
        if splitter.has_ended:
            return
    yield Record(splitter.place.line + 1, splitter.now, fault=LeftAlone("cut_off", "No end."))


class _ArraySplitter:
    """Cuts an array at the commas of its level, whatever lies between."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.has_ended = False
        self._offset = place.offset
        self._depth, self._in_string, self._skip = 0, False, 0
        self._parts: list[bytes] = []
        self._length = 0

    @property
    def now(self) -> Place:
        """Behind all that was fed."""
        return Place(self._offset, self.place.line + 1)

    def feed(self, piece: bytes) -> Iterator[Record]:
        """Take the next piece; yield the elements that it ends."""
        begin = position = 0
        while (found := self._next_mark(piece, position)) is not None:
            mark, position = piece[found : found + 1], found + 1
            if self._ends_element(mark):
                self._keep(piece[begin:found])
                yield from self._element(self._offset + position)
                begin = position
                if self.has_ended:
                    break
        self._keep(piece[begin:])
        self._offset += len(piece)

    def _next_mark(self, piece: bytes, position: int) -> int | None:
        position += self._skip
        self._skip = 0
        match = (STRING_END if self._in_string else STRUCTURE).search(piece, position)
        if match is None:
            self._skip = max(0, position - len(piece))
            return None
        return match.start()

    def _ends_element(self, mark: bytes) -> bool:
        """Follow a mark; return whether it is the comma or the bracket after an element."""
        if self._in_string:
            self._in_string = mark != b'"'
            # What a backslash escapes is no mark.
            self._skip = int(mark == b"\\")
            self._in_string = self._in_string or mark == b"\\"
            return False
        if mark == b'"':
            self._in_string = True
        elif mark in OPENING:
            self._depth += 1
        elif mark in CLOSING:
            self._depth -= 1
            self.has_ended = self._depth < 0
        return self.has_ended or (mark == b"," and self._depth == 0)

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length <= MAX_RECORD_BYTES:
            self._parts.append(part)

    def _element(self, end: int) -> Iterator[Record]:
        data, is_too_long = b"".join(self._parts), self._length > MAX_RECORD_BYTES
        self._parts, self._length = [], 0
        if not data.strip() and self.has_ended:
            return  # an empty array, or a comma too many
        number = self.place.line + 1
        self.place = Place(end, number)
        if is_too_long:
            yield Record(number, self.place, fault=too_long())
        else:
            yield _json_record(number, self.place, data)


def _json_record(number: int, following: Place, data: bytes) -> Record:
    try:
        value = strict_json.loads(data.strip())
    except strict_json.InvalidJson as error:
        return Record(number, following, fault=LeftAlone("unreadable_line", str(error)))
    if isinstance(value, dict):
        return Record(number, following, value)
    return Record(number, following, fault=LeftAlone("not_an_object", "It is a JSON object."))


def _past(place: Place, line: _Line) -> Place:
    return Place(place.offset + line.length, place.line + 1)


def _lines(pieces: Iterable[bytes]) -> Iterator[_Line]:
    head, length = b"", 0
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for part in ended:
            length += len(part) + 1
            yield _Line(head + part + b"\n", length)
            head, length = b"", 0
        length += len(rest)
        if length <= MAX_RECORD_BYTES:
            head += rest
    if length:
        yield _Line(head, length)
