"""Filters of lists by query parameters: django-filter's, with refusals (400) instead of guesses.

class OrderFilterSet(StrictFilterSet):
    status = ChoiceFilter(choices=Status.choices, help_text="The state it is in.")
    user = IdFilter(field_name="user_id", only_for=ReadsEveryOrder, help_text="Staff only.")
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django_filters import filters
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from drf_spectacular.drainage import set_override

from servicekit.http.fields import MONEY
from servicekit.http.identifiers import parse_id
from servicekit.http.problems import InvalidInput


class StrictFilterSet(FilterSet):
    """Filters by those parameters that a request gives; what it cannot read is a 400.

    Declared and documented as any FilterSet, but read without its form: to copy every filter and to
    make a form class costs a request a sixth of what a page of twenty costs (0.3 ms of CPU). So
    `Meta.form` has no effect; a rule over several filters is a `check`.
    """

    data: Any
    queryset: Any

    def __init__(self, data: Any = None, queryset: Any = None, **options: Any) -> None:
        names = data or ()
        self.base_filters = OrderedDict(
            (name, filter_) for name, filter_ in self.base_filters.items() if name in names
        )
        super().__init__(data, queryset, **options)

    @property
    def qs(self) -> QuerySet[Any]:
        """Return the rows that match.

        Raises:
            InvalidInput: a value cannot be read, or is not for this caller to ask.
        """
        values = {name: self._value(name, filter_) for name, filter_ in self.filters.items()}
        self.check(values)
        rows: QuerySet[Any] = self.queryset
        for name, value in values.items():
            rows = self.filters[name].filter(rows, value)
        return rows

    def check(self, values: Mapping[str, Any]) -> None:
        """Look at the values together; raise InvalidInput if they do not go together."""

    def is_allowed(self, callers: "Callers") -> bool:
        """Return whether a filter that is `only_for` these callers may be used."""
        return callers.allows(self.request)

    def _value(self, name: str, filter_: filters.Filter) -> Any:
        only_for = getattr(filter_, "only_for", None)
        if only_for is not None and not self.is_allowed(only_for):
            raise InvalidInput(f"{name} is for staff.")
        try:
            return filter_.field.clean(self.data[name])
        except forms.ValidationError as error:
            raise InvalidInput(f"{name} {error.messages[0]}") from error


class StrictFilterBackend(DjangoFilterBackend):
    """Applies a view's `filterset_class`, a StrictFilterSet, which refuses by itself."""

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Return the rows that match, for a view without filters all of them."""
        filterset = self.get_filterset(request, queryset, view)
        return queryset if filterset is None else filterset.qs


class Callers(Protocol):
    """Some of all callers: a class of servicekit.auth.permissions, such as IsStaff."""

    def allows(self, request: Any) -> bool:
        """Whether the caller is one of them."""


class StrictFilter(filters.Filter):
    """A filter that documents itself by `schema` and `help_text`; `only_for` refuses others."""

    def __init__(self, *args: Any, only_for: Callers | None = None, **options: Any) -> None:
        self.only_for = only_for
        # An empty label: django-filter would make one of the model's names, in the request.
        super().__init__(*args, label="", **options)
        set_override(self, "field", {**self.schema(), "description": options.get("help_text", "")})

    def schema(self) -> dict[str, Any]:
        """Return the schema of the parameter in the OpenAPI document."""
        return {"type": "string"}


class TextField(forms.Field):
    """Text as it came, neither stripped nor interpreted."""

    def __init__(self, *, max_length: int | None = None, **options: Any) -> None:
        self.max_length = max_length
        super().__init__(**options)

    def clean(self, value: str) -> str:
        """Return the text.

        Raises:
            forms.ValidationError: it is too long.
        """
        if self.max_length is not None and len(value) > self.max_length:
            raise forms.ValidationError(f"is 1 to {self.max_length} characters.")
        return value


class TextFilter(StrictFilter):
    """By text: `TextFilter(field_name="name", lookup_expr="icontains", max_length=100)`."""

    field_class = TextField


class MoneyField(forms.Field):
    """An amount as a decimal string, in the form that bodies have (fields.MoneyField)."""

    def clean(self, value: str) -> Decimal:
        """Return the amount.

        Raises:
            forms.ValidationError: it is not an amount.
        """
        if not MONEY.fullmatch(value):
            raise forms.ValidationError('is a decimal such as "2.55".')
        return Decimal(value)


class MoneyFilter(StrictFilter):
    """By an amount: `MoneyFilter(field_name="price", lookup_expr="gte")`."""

    field_class = MoneyField


class IdField(forms.Field):
    """An id as we write them, in either case."""

    def clean(self, value: str) -> UUID:
        """Return the id.

        Raises:
            forms.ValidationError: it is not an id.
        """
        try:
            return parse_id(value)
        except ValueError as error:
            raise forms.ValidationError("is an id.") from error


class IdFilter(StrictFilter):
    """By an id: `IdFilter(field_name="user_id")`."""

    field_class = IdField

    def schema(self) -> dict[str, Any]:
        """Return the schema of an id."""
        return {"type": "string", "format": "uuid"}


class MomentField(forms.Field):
    """A moment as RFC 3339 writes it, such as "2026-11-27T12:00:00Z"."""

    def clean(self, value: str) -> datetime:
        """Return the moment, in UTC.

        Raises:
            forms.ValidationError: it is not a moment, or not of the years 1 to 9999 in UTC.
        """
        with suppress(ValueError, OverflowError):
            if MOMENT.fullmatch(value):
                return datetime.fromisoformat(value).astimezone(UTC)
        raise forms.ValidationError('is a time such as "2026-11-27T12:00:00Z".')


# Python alone would read week dates and times without a zone, too.
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


class MomentFilter(StrictFilter):
    """By a time: `MomentFilter(field_name="at", lookup_expr="gte")`."""

    field_class = MomentField

    def schema(self) -> dict[str, Any]:
        """Return the schema of a time."""
        return {"type": "string", "format": "date-time"}


class ChoiceField(forms.Field):
    """One of a few words."""

    def __init__(self, *, choices: Iterable[tuple[str, str]], **options: Any) -> None:
        self.words = [word for word, _label in choices]
        super().__init__(**options)

    def clean(self, value: str) -> Any:
        """Return the word.

        Raises:
            forms.ValidationError: it is another.
        """
        if value not in self.words:
            raise forms.ValidationError(f"is one of {', '.join(self.words)}.")
        return value


class ChoiceFilter(StrictFilter):
    """By one of a few words: `ChoiceFilter(choices=Status.choices)`."""

    field_class = ChoiceField

    def schema(self) -> dict[str, Any]:
        """Return the schema, which lists the words."""
        return {"type": "string", "enum": [word for word, _label in self.extra["choices"]]}


class FlagField(ChoiceField):
    """Whether something is so, or `all` for both."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[(word, word) for word in FLAGS], **options)

    def clean(self, value: str) -> bool | None:
        """Return what to filter by; None filters nothing.

        Raises:
            forms.ValidationError: it is neither true nor false nor all.
        """
        return FLAGS[super().clean(value)]


FLAGS = {"true": True, "false": False, "all": None}


class FlagFilter(StrictFilter):
    """By a boolean column: `true`, `false`, or `all` for both."""

    field_class = FlagField

    def schema(self) -> dict[str, Any]:
        """Return the schema, which lists the words."""
        return {"type": "string", "enum": sorted(FLAGS)}
