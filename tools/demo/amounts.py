"""One rule for a column of numbers, found from the whole column: which mark stands before the
decimals, the other groups thousands.

The mark that reads more lines is right. Where both read all of them and differ (`1,234`), the
file's other column of numbers decides, else the way people who write that delimiter write numbers,
and that is said.
"""

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

POINT, COMMA = ".", ","
LONGEST_NUMBER = 40
MOST_DIGITS = 15
CURRENCY = re.compile(r"^([+-]?) ?[£€$] ?|(?: ?[£€$])$")
#: Digits in groups of three, all with the same separator: the other mark, a blank (also narrow or
#: unbreakable) or an apostrophe.
FORMS = {
    mark: re.compile(
        rf"[+-]?(?:\d+|\d{{1,3}}(?:([{other}"
        rf" \u00a0\u202f'])\d{{3}})(?:\1\d{{3}})*)?(?:[{mark}]\d+)?",
        re.ASCII,
    )
    for mark, other in ((POINT, COMMA), (COMMA, POINT))
}


@dataclass(frozen=True)
class NumberRule:
    """`mark` stands before the decimals; `assumed` says why, where it had to be assumed."""

    mark: str
    assumed: str = ""

    def read(self, text: str) -> Decimal | None:
        """Return the number; None if it is none by this rule."""
        return _read(text, self.mark)

    def __str__(self) -> str:
        name = "decimal point" if self.mark == POINT else "decimal comma"
        return name + (f" (assumed: {self.assumed})" if self.assumed else "")


def number_rules(
    prices: Counter[str], quantities: Counter[str], delimiter: str
) -> tuple[NumberRule, NumberRule]:
    """Return the rules of the two columns, given how many lines say each text."""
    price, quantity = _decided(prices), _decided(quantities)
    fallback = price or quantity or (COMMA if delimiter == ";" else POINT)
    return tuple(  # type: ignore[return-value]
        NumberRule(mark, "") if mark else _assumed(texts, fallback, price or quantity)
        for mark, texts in ((price, prices), (quantity, quantities))
    )


def _assumed(texts: Counter[str], mark: str, evident: str | None) -> NumberRule:
    open_ones = [text for text in texts if _read(text, POINT) != _read(text, COMMA)]
    if evident or not open_ones:
        return NumberRule(mark)
    return NumberRule(mark, f"{open_ones[0]} can be read both ways")


def _decided(texts: Counter[str]) -> str | None:
    """Return the mark that reads more lines; None if both read as many."""
    lines = {
        mark: sum(count for text, count in texts.items() if _read(text, mark) is not None)
        for mark in FORMS
    }
    if lines[POINT] == lines[COMMA]:
        return None
    return max(lines, key=lambda mark: lines[mark])


def _read(text: str, mark: str) -> Decimal | None:
    if len(text) > LONGEST_NUMBER:
        return None
    plain = _without_currency(text.replace("\u2212", "-"))
    if not FORMS[mark].fullmatch(plain) or not 1 <= sum(map(str.isdigit, plain)) <= 2 * MOST_DIGITS:
        return None
    other = COMMA if mark == POINT else POINT
    number = Decimal(re.sub(rf"[{other} \u00a0\u202f']", "", plain).replace(mark, "."))
    return number if number.adjusted() < MOST_DIGITS else None


def _without_currency(text: str) -> str:
    """`£2.55`, `-$5`, `2,55 €`: the sign of the currency says nothing here."""
    return CURRENCY.sub(lambda found: found.group(1) or "", text, count=1)
