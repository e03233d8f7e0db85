"""The query parameters that filter lists."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Exists, OuterRef, QuerySet

from orders.api.permissions import ReadsEveryOrder
from orders.models import OrderLine, Status
from orders.models.numbers import NotANumber, serial_of
from servicekit.http.filters import (
    ChoiceFilter,
    IdFilter,
    MomentFilter,
    StrictFilter,
    StrictFilterSet,
)
from servicekit.http.problems import InvalidInput

#: An id is made a moment before or after the time of its order is read.
APART_MILLISECONDS = 5000


class NumberField(forms.Field):
    """An order's number."""

    def clean(self, value: str) -> int:
        """Return the serial in it.

        Raises:
            forms.ValidationError: it is not a number, or not typed as it is.
        """
        try:
            return serial_of(value)
        except NotANumber as error:
            raise forms.ValidationError("is an order's number; is a digit wrong?") from error


class NumberFilter(StrictFilter):
    """By the number: `NumberFilter(field_name="serial")`."""

    field_class = NumberField


class ProductFilter(IdFilter):
    """By a product that is in a line."""

    def filter(self, qs: QuerySet[Any], value: UUID) -> QuerySet[Any]:
        """Return the orders with the product."""
        return qs.filter(Exists(OrderLine.objects.filter(order=OuterRef("pk"), product_id=value)))


class PlacedFilter(MomentFilter):
    """By the time of placing, found by the ids, which begin with it: that needs no index."""

    def filter(self, qs: QuerySet[Any], value: datetime) -> QuerySet[Any]:
        """Return the orders that were placed from then on, or before."""
        apart = -APART_MILLISECONDS if self.lookup_expr == "gte" else APART_MILLISECONDS
        first = _first_id(int(value.timestamp() * 1000) + apart)
        return super().filter(qs, value).filter(**{f"id__{self.lookup_expr}": first})


class OrderFilterSet(StrictFilterSet):
    status = ChoiceFilter(choices=Status.choices)
    user = IdFilter(field_name="user_id", only_for=ReadsEveryOrder, help_text="Staff only.")
    number = NumberFilter(field_name="serial", help_text="The order of this number.")
    product = ProductFilter(help_text="Orders with this product.")
    placed_from = PlacedFilter(
        field_name="placed_at", lookup_expr="gte", help_text="Placed then or later."
    )
    placed_before = PlacedFilter(
        field_name="placed_at", lookup_expr="lt", help_text="Placed before then."
    )

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse a range that is none."""
        start, end = values.get("placed_from"), values.get("placed_before")
        if start and end and start >= end:
            raise InvalidInput("placed_from is before placed_before.")


def _first_id(milliseconds: int) -> UUID:
    """Return the least UUIDv7 of a time, or of the nearest that one can tell."""
    return UUID(int=max(0, min(milliseconds, 2**48 - 1)) << 80)
