"""Cells of the shop's files, which people open in a spreadsheet: none is taken for a formula.

After OWASP's "CSV injection": a cell that begins with = + - @ TAB or CR gets an apostrophe before.
So does one that begins with apostrophes and one of these, so that reading takes away exactly what
writing added.
"""

import re

FORMULA = re.compile(r"'*[=+\-@\t\r]")
ESCAPED = re.compile(r"'+[=+\-@\t\r]")
#: What a file holds of a product, in the order of the exported columns.
COLUMNS = (
    "sku",
    "slug",
    "name",
    "description",
    "price",
    "compare_at_price",
    "currency",
    "stock",
    "low_stock_threshold",
    "active",
    "category",
)


def escaped(text: str) -> str:
    """Return the text as no spreadsheet takes it for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """Return what `escaped` was given."""
    return text[1:] if ESCAPED.match(text) else text
