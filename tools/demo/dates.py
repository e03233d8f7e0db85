"""One rule for a column of dates, found from the whole column: whether the day or the month comes
first.

Years of four digits in front (ISO 8601) and months by name leave nothing to find. For everything
else the order that reads more lines is right; where both read all of them, the order with the
shorter time from first to last is assumed, and that is said.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_FIRST, DAY_FIRST = "month first", "day first"
CLOCK = (
    r"(?:(?:T|,? +)(?P<hour>\d{1,2})(?P<colon>[:.])(?P<minute>\d{2})"
    r"(?:(?P=colon)(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)? *(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
FLAGS = re.ASCII | re.IGNORECASE
YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/. ])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})" + CLOCK, FLAGS
)
NUMBERS = re.compile(
    r"(?P<one>\d{1,2})(?P<mark>[-/. ])(?P<two>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})" + CLOCK, FLAGS
)
DAY_NAMED = re.compile(
    r"(?P<day>\d{1,2})[-/. ]+(?P<name>[a-z]{3,9})[-/., ]+(?P<year>\d{4}|\d{2})" + CLOCK, FLAGS
)
NAME_DAY = re.compile(
    r"(?P<name>[a-z]{3,9})[-/. ]+(?P<day>\d{1,2}),? +(?P<year>\d{4})" + CLOCK, FLAGS
)


@dataclass(frozen=True)
class DateRule:
    """`order` is None where no date of the column depends on it; `assumed` says why, where it had
    to be assumed.
    """

    order: str | None
    assumed: str = ""

    def read(self, text: str) -> datetime | None:
        """Return the time in UTC, without a zone (texts without a zone are taken as UTC); None if
        it is no date by this rule.
        """
        return _read(text, self.order or MONTH_FIRST)

    def __str__(self) -> str:
        return f"dates {self.order or 'year first or with names'}" + (
            f" (assumed: {self.assumed})" if self.assumed else ""
        )


def date_rule(texts: Counter[str], asked: str | None = None) -> DateRule:
    """Return the rule of a column, given how many lines say each text; `asked` is an order that
    somebody has decided on.
    """
    open_ones = {text: count for text, count in texts.items() if NUMBERS.fullmatch(text)}
    if not open_ones:
        return DateRule(None)
    if asked:
        return DateRule(asked)
    read = {order: _all_read(open_ones, order) for order in (MONTH_FIRST, DAY_FIRST)}
    lines = {order: sum(open_ones[text] for text in found) for order, found in read.items()}
    if lines[MONTH_FIRST] != lines[DAY_FIRST]:
        return DateRule(max(lines, key=lambda order: lines[order]))
    if read[MONTH_FIRST] == read[DAY_FIRST]:
        return DateRule(MONTH_FIRST)
    return _assumed(read)


def _all_read(texts: dict[str, int], order: str) -> dict[str, datetime]:
    found = ((text, _read(text, order)) for text in texts)
    return {text: at for text, at in found if at is not None}


def _assumed(read: dict[str, dict[str, datetime]]) -> DateRule:
    example = next(
        text for text, at in read[MONTH_FIRST].items() if at != read[DAY_FIRST].get(text)
    )
    spans = {order: max(found.values()) - min(found.values()) for order, found in read.items()}
    if spans[MONTH_FIRST] != spans[DAY_FIRST]:
        shorter = min(spans, key=lambda order: spans[order])
        return DateRule(
            shorter, f"{example} can be read both ways, and so the dates lie closer together"
        )
    order = MONTH_FIRST if "/" in example else DAY_FIRST
    return DateRule(order, f"{example} can be read both ways, and nothing in the file decides")


def _read(text: str, order: str) -> datetime | None:
    forms: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[int, int]]], ...] = (
        (NUMBERS, lambda found: _month_and_day(found, order)),
        (YEAR_FIRST, lambda found: (int(found["month"]), int(found["day"]))),
        (DAY_NAMED, lambda found: (_month(found["name"]), int(found["day"]))),
        (NAME_DAY, lambda found: (_month(found["name"]), int(found["day"]))),
    )
    for form, month_and_day in forms:
        found = form.fullmatch(text)
        if found:
            try:
                return _time(found, *month_and_day(found))
            except (ValueError, OverflowError):
                return None
    return None


def _month_and_day(found: re.Match[str], order: str) -> tuple[int, int]:
    first, second = int(found["one"]), int(found["two"])
    return (first, second) if order == MONTH_FIRST else (second, first)


def _month(name: str) -> int:
    return MONTHS.index(name[:3].lower()) + 1


def _time(found: re.Match[str], month: int, day: int) -> datetime:
    year = int(found["year"]) + (2000 if len(found["year"]) == 2 else 0)
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if found["half"]:
        hour = _of_twelve(hour) + (12 if found["half"].lower() == "p" else 0)
    at = datetime(year, month, day, hour, minute, second, tzinfo=_zone(found["zone"] or "Z"))
    return at.astimezone(UTC).replace(tzinfo=None)


def _of_twelve(hour: int) -> int:
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12


def _zone(text: str) -> timezone:
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(offset if text[0] == "+" else -offset)
