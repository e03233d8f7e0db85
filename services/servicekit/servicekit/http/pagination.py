"""Lists in pages by keyset: the thousandth page costs what the first costs.

Rows that come and go move no others. (DRF's CursorPagination breaks ties by offset, and lets forged
positions reach the database.)

The cursor is opaque to clients: the last row's place in the ordering, and which ordering that was.
"""

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from django.db.models import BigIntegerField, BooleanField, F, Field, Func, Q, QuerySet, Value
from django.db.models.functions import Collate
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.http.identifiers import parse_id
from servicekit.http.problems import InvalidInput

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
MAX_CURSOR_LENGTH = 1000
COLLATED = "collated_field"
#: Of PostgreSQL's bigint.
MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order of rows: by a field, and by the id to break ties, both in one direction.

    `kind` reads the field's value back from a cursor: for rows whose id is a number and that are
    ordered by it, `int`. A `collation` orders text alike in every database; without it the
    database's own holds. It is there only when the request has the parameter that it `needs`.
    """

    field: str
    kind: type = str
    descending: bool = False
    collation: str = ""
    needs: str = ""

    @property
    def name(self) -> str:
        """What the parameter `ordering` says."""
        return self._directed(self.field)

    @property
    def columns(self) -> list[str]:
        """What a cursor says its ordering is."""
        return self._with_id(self.field)

    @property
    def sort_field(self) -> str:
        """What is compared."""
        return COLLATED if self.collation else self.field

    def sort(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return `rows` in this ordering."""
        if self.collation:
            rows = rows.alias(**{COLLATED: Collate(self.field, self.collation)})
        return rows.order_by(*self._with_id(self.sort_field))

    def _with_id(self, field: str) -> list[str]:
        return [self._directed(name) for name in (["id"] if field == "id" else [field, "id"])]

    def _directed(self, field: str) -> str:
        return f"-{field}" if self.descending else field


class KeysetPagination(BasePagination):
    """Pages of 20 rows, or as many as `page_size` says, in one of the view's `orderings`.

    The first of them that the request can have is the default; where there are several, the
    parameter `ordering` chooses.
    Rows are instances or `values()` that name the ordering's field and the id.
    """

    request: Request
    ordering: Ordering
    size: int
    #: The ordering's value and the id of the row that the page begins behind; None for the first.
    after: tuple[Any, UUID | int] | None
    rows: list[Any]
    has_more: bool

    @classmethod
    def parameters(cls, view: Any) -> frozenset[str]:
        """Return the query parameters of the view's lists."""
        chosen = {"ordering"} if len(view.orderings) > 1 else set()
        return frozenset({"cursor", "page_size", *chosen})

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page.

        Raises:
            InvalidInput: see `begin`.
        """
        self.begin(request, view)
        rows = self.ordering.sort(queryset)
        if self.after is not None:
            rows = rows.filter(_after(self.ordering, *self.after))
        found = list(view.first_rows(rows, self.size + 1))
        self.rows, self.has_more = found[: self.size], len(found) > self.size
        return self.rows

    def begin(self, request: Request, view: Any) -> None:
        """Read which page is asked for, for a view that finds the rows itself.

        Raises:
            InvalidInput: an unknown ordering, a page size outside 1 to 100, or a cursor that is not
                ours or of another ordering.
        """
        self.request = request
        self.ordering = _ordering(request, view.orderings)
        self.size = _page_size(request)
        cursor = request.query_params.get("cursor")
        self.after = None if cursor is None else _decode(self.ordering, cursor)

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        """Return the answer with the bodies of the page's rows.

        They may be fewer than the rows, those of the first rows in their sequence: the page is cut
        short, and the next page goes on where it ends.
        """
        return Response({"results": data, "next": self._next_link(len(data))})

    def _next_link(self, count: int) -> str | None:
        """Return path and query of the next page, on the host that was asked; None for the last."""
        if count == len(self.rows) and not self.has_more:
            return None
        if not count:
            raise ValueError(
                "A page that is cut short has one body at least, or there is no way past it."
            )
        last = self.rows[count - 1]
        return self.link_behind(_value(last, self.ordering.field), _value(last, "id"))

    def link_behind(self, value: Any, row_id: Any) -> str:
        """Return path and query of the page behind a row, by the ordering's value and the id."""
        cursor = _encode(self.ordering, value, row_id)
        query = {**self.request.query_params.dict(), "cursor": cursor}
        return f"{self.request.path}?{urlencode(query)}"

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of a page of `schema`, for the OpenAPI document."""
        members = {"results": schema, "next": {"type": ["string", "null"]}}
        return {"type": "object", "properties": members, "required": ["next", "results"]}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters, for the OpenAPI document."""
        found = [
            _parameter("cursor", "From `next`.", {"type": "string"}),
            _parameter("page_size", f"1 to {MAX_PAGE_SIZE}.", {"type": "integer"}),
        ]
        if "ordering" in self.parameters(view):
            names = sorted(ordering.name for ordering in view.orderings)
            found.append(
                _parameter("ordering", "The order of the list.", {"type": "string", "enum": names})
            )
        return found


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"in": "query", "name": name, "schema": schema, "description": description}


def _ordering(request: Request, orderings: Sequence[Ordering]) -> Ordering:
    parameters = request.query_params
    possible = [each for each in orderings if not each.needs or each.needs in parameters]
    name = parameters.get("ordering", possible[0].name)
    for ordering in possible:
        if ordering.name == name:
            return ordering
    raise InvalidInput(f"ordering is one of {', '.join(ordering.name for ordering in possible)}.")


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size", str(DEFAULT_PAGE_SIZE))
    if not (
        text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGE_SIZE
    ):
        raise InvalidInput(f"page_size is a whole number from 1 to {MAX_PAGE_SIZE}.")
    return int(text)


def _after(ordering: Ordering, value: Any, row_id: UUID | int) -> Q:
    way = "lt" if ordering.descending else "gt"
    if ordering.field == "id":
        return Q(**{f"id__{way}": row_id})
    # Of an int, Django would take the smallest type.
    kind = BigIntegerField() if ordering.kind is int else None
    place, last = _Row(F(ordering.sort_field), F("id")), _Row(Value(value, kind), Value(row_id))
    return Q(_Compared(place, last, arg_joiner=" < " if ordering.descending else " > "))


class _Row(Func):
    """Columns, or values, compared as one: by an index of the columns, and in one condition, of
    which PostgreSQL can tell without the values that it is found at once.
    """

    template = "ROW(%(expressions)s)"
    output_field = Field()


class _Compared(Func):
    template = "%(expressions)s"
    output_field = BooleanField()


def _encode(ordering: Ordering, value: Any, row_id: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    raw = orjson.dumps([",".join(ordering.columns), text, str(row_id)])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _value(row: Any, field: str) -> Any:
    return row[field] if isinstance(row, Mapping) else getattr(row, field)


def _decode(ordering: Ordering, cursor: str) -> tuple[Any, UUID | int]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        columns, value, row_id = orjson.loads(raw[:MAX_CURSOR_LENGTH])
        return _read(ordering, columns, value), _read_id(ordering, row_id)
    except (ValueError, TypeError, AttributeError, InvalidOperation, binascii.Error) as error:
        raise InvalidInput(
            "The cursor is not one of this list. Follow the links, or begin without a cursor."
        ) from error


def _read(ordering: Ordering, columns: Any, value: Any) -> Any:
    if columns != ",".join(ordering.columns) or not isinstance(value, str) or "\0" in value:
        raise ValueError("of another list")
    if ordering.kind is datetime:
        return _moment(value)
    found = ordering.kind(value)
    if isinstance(found, int):
        return max(-MAX_NUMBER, min(found, MAX_NUMBER))
    if isinstance(found, Decimal) and not (found.is_finite() and abs(found) < Decimal(10) ** 12):
        raise ValueError("no such amount")
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError("no such number")
    return found


def _read_id(ordering: Ordering, text: Any) -> UUID | int:
    if ordering.field != "id" or ordering.kind is not int:
        return parse_id(text)
    number = int(text)
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError("no such number")
    return number


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    # Ours are all UTC. Among others are naive times, which Django warns of, and offsets that
    # PostgreSQL cannot read.
    if moment.utcoffset() != timedelta(0):
        raise ValueError("not in UTC")
    return moment
