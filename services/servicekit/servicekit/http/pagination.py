"""Lists in pages by keyset: page one thousand costs what page one costs, and rows that come and go move no others.

The cursor is opaque to clients: the last row's place in the order, and which order that was.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode
from uuid import UUID

import orjson
from django.db.models import Q, QuerySet
from django.db.models.functions import Collate
from rest_framework.request import Request

from servicekit.http.identifiers import parse_id
from servicekit.http.problems import MAX_FIELD_ERRORS, InvalidInput

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
MAX_CURSOR_LENGTH = 1000
COLLATED = "collated_field"
PARAMETERS = frozenset({"cursor", "page_size"})


@dataclass(frozen=True, slots=True)
class Order:
    """An order of rows: a field and the id to break ties, both in one direction. `kind` reads the field's value back.

    A `collation` orders text alike in every database; without one it is the database's own.
    """

    field: str
    kind: type = str
    descending: bool = False
    collation: str = ""

    @property
    def columns(self) -> list[str]:
        """What a cursor says its order is."""
        return self._directed(self.field)

    @property
    def sort_field(self) -> str:
        """What is compared."""
        return COLLATED if self.collation else self.field

    def sort(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return `rows` in this order."""
        if self.collation:
            rows = rows.alias(**{COLLATED: Collate(self.field, self.collation)})
        return rows.order_by(*self._directed(self.sort_field))

    def _directed(self, field: str) -> list[str]:
        names = ["id"] if field == "id" else [field, "id"]
        return [f"-{name}" if self.descending else name for name in names]


def page(request: Request, rows: QuerySet[Any], order: Order) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page of `rows` (a values() queryset that names `order.field` and id), and the link to the next.

    Raises:
        InvalidInput: a cursor that is not ours or is of another order, or a page size outside 1 to 100.
    """
    size = _page_size(request)
    rows = order.sort(rows)
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        rows = rows.filter(_after(order, cursor))
    found = list(rows[: size + 1])
    following = link_after(request, order, found[size - 1]) if len(found) > size else None
    return found[:size], following


def check_parameters(request: Request, known: frozenset[str]) -> None:
    """Refuse query parameters that nobody reads, those that are given twice or empty, and what is no text.

    Raises:
        InvalidInput: naming each.
    """
    if not request.META.get("QUERY_STRING"):
        return
    errors = list(islice(_parameter_faults(request, known), MAX_FIELD_ERRORS))
    if errors:
        raise InvalidInput(f"Known parameters: {', '.join(sorted(known)) or 'none'}.", errors=errors)
    _check_text(request.META["QUERY_STRING"])


def _parameter_faults(request: Request, known: frozenset[str]) -> Iterator[dict[str, str]]:
    for name, values in request.query_params.lists():
        if name not in known:
            yield _fault("unknown_parameter", f"Unknown parameter {name[:50]!r}.")
        elif len(values) > 1:
            yield _fault("repeated_parameter", f"{name} is given more than once.")
        elif not values[0]:
            yield _fault("empty_parameter", f"{name} is empty. Give it a value or leave it out.")


def _fault(code: str, detail: str) -> dict[str, str]:
    return {"pointer": "", "code": code, "detail": detail}


def _check_text(query: str) -> None:
    raw = unquote_to_bytes(query)
    if b"\0" in raw:
        raise InvalidInput("A parameter holds a NUL character.")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput("A parameter is not UTF-8.") from None


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size", str(DEFAULT_PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGE_SIZE):
        raise InvalidInput(f"page_size is a whole number from 1 to {MAX_PAGE_SIZE}.")
    return int(text)


def _after(order: Order, cursor: str) -> Q:
    value, row_id = _decode(order, cursor)
    way = "lt" if order.descending else "gt"
    if order.field == "id":
        return Q(**{f"id__{way}": row_id})
    name = order.sort_field
    beyond = Q(**{f"{name}__{way}": value}) | Q(**{name: value, f"id__{way}": row_id})
    # The first condition is implied by the second; the index needs it said.
    return Q(**{f"{name}__{way}e": value}) & beyond


def _decode(order: Order, cursor: str) -> tuple[Any, UUID]:
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        columns, value, row_id = orjson.loads(raw[:MAX_CURSOR_LENGTH])
        return _read(order, columns, value), parse_id(row_id)
    except (ValueError, TypeError, AttributeError, InvalidOperation, binascii.Error) as error:
        raise InvalidInput(
            "The cursor is not one of this list. Follow the links, or begin without a cursor."
        ) from error


def _read(order: Order, columns: Any, value: Any) -> Any:
    if columns != _name(order) or not isinstance(value, str) or "\0" in value:
        raise ValueError("of another list")
    if order.kind is datetime:
        return _moment(value)
    number = order.kind(value)
    if isinstance(number, Decimal) and not (number.is_finite() and abs(number) < Decimal(10) ** 12):
        raise ValueError("no such amount")
    return number


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    # Ours are all UTC; in others hide naive ones, which Django warns of, and offsets that PostgreSQL cannot read.
    if moment.utcoffset() != timedelta(0):
        raise ValueError("not in UTC")
    return moment


def _name(order: Order) -> str:
    return ",".join(order.columns)


def link_after(request: Request, order: Order, last: dict[str, Any]) -> str:
    value = last[order.field]
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    raw = orjson.dumps([_name(order), text, str(last["id"])])
    cursor = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    query = {**request.query_params.dict(), "cursor": cursor}
    return f"{request.path}?{urlencode(query)}"


def page_body(results: Sequence[Any], following: str | None) -> dict[str, Any]:
    """Return the body of a page; `next` is a path on the host that was asked."""
    return {"results": list(results), "next": following}
