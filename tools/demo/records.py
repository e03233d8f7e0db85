"""A table as its format's reader hands it on: where the columns are, and numbered records."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

#: Text as it stands in the file; a workbook's own dates and numbers need no rule.
Cell = str | datetime | Decimal
SHOWN_TEXT = 80


@dataclass(frozen=True, slots=True)
class Record:
    """`number` is its line in the table (1 is the first); with a `problem` it has no cells."""

    number: int
    cells: list[Cell]
    problem: str = ""
    text: str = ""


@dataclass
class Table:
    """`name` tells the tables of one file apart; empty where there is but one.

    `form` says what it was read as.
    """

    name: str
    places: dict[str, int]
    records: Iterator[Record]
    form: list[str] = field(default_factory=list)
    delimiter: str = ","
    notes: list[str] = field(default_factory=list)
