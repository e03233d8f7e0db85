"""Which columns the editions of the Online Retail set have, and how the first line of a table names
them.
"""

import re
from collections.abc import Sequence

#: Our name for a column, then what the editions call it, letters only.
COLUMNS = {
    "invoice": ("invoiceno", "invoice", "invoicenumber", "transactionno"),
    "code": ("stockcode", "productno"),
    "description": ("description", "productname"),
    "quantity": ("quantity",),
    "date": ("invoicedate", "date"),
    "price": ("unitprice", "price"),
    "customer": ("customerid", "customerno"),
    "country": ("country",),
}
OPTIONAL = frozenset({"country"})
EDITIONS = (
    "Online Retail (InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice,"
    " CustomerID, Country), "
    "Online Retail II (Invoice, StockCode, Description, Quantity, InvoiceDate, Price, Customer ID,"
    " Country) "
    "and the sales edition (TransactionNo, Date, ProductNo, ProductName, Price, Quantity,"
    " CustomerNo, Country)"
)


class NotRetailFile(ValueError):
    """The file has other columns, or cannot be unpacked."""


class UnknownColumns(NotRetailFile):
    """A table whose first line names other columns."""


def places_of(names: Sequence[str]) -> dict[str, int]:
    """Return where each known column is, by our name."""
    plain = [re.sub(r"[^a-z]", "", name.lower()) for name in names]
    found = {
        column: next((plain.index(name) for name in known if name in plain), -1)
        for column, known in COLUMNS.items()
    }
    return {column: place for column, place in found.items() if place >= 0}


def must_name_all(places: dict[str, int]) -> None:
    """Check that nothing is missing.

    Raises:
        UnknownColumns: the first line lacks a column that a sale needs.
    """
    missing = [column for column in COLUMNS if column not in places and column not in OPTIONAL]
    if missing:
        raise UnknownColumns(
            f"the first line names no column for {', '.join(missing)}; the editions that are known:"
            f" {EDITIONS}"
        )
