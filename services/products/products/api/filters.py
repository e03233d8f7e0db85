"""What the list of products can be filtered by."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from products import selectors
from products.models import StockAlert, StockMovement
from servicekit.http.filters import (
    ChoiceFilter,
    FlagFilter,
    MomentFilter,
    MoneyFilter,
    StrictFilterSet,
    TextFilter,
)
from servicekit.http.problems import InvalidInput


class BranchFilter(TextFilter):
    """By a category and all below it, named by its slug."""

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows of the branch; none for a slug that no category has."""
        return rows.filter(category_id__in=selectors.branch_ids(slug=value))


class InStockFilter(FlagFilter):
    """By whether units are left."""

    def filter(self, rows: QuerySet[Any], value: bool | None) -> QuerySet[Any]:
        """Return the rows with units left, those without, or with None both."""
        if value is None:
            return rows
        return rows.filter(stock__gt=0) if value else rows.filter(stock=0)


class LowStockFilter(FlagFilter):
    """By whether there is an open alert."""

    def filter(self, rows: QuerySet[Any], value: bool | None) -> QuerySet[Any]:
        """Return the rows whose stock is low, those whose is not, or with None both."""
        if value is None:
            return rows
        is_low = Exists(StockAlert.objects.filter(product=OuterRef("pk"), closed_at=None))
        return rows.filter(is_low if value else ~is_low)


class ProductFilterSet(StrictFilterSet):
    slug = TextFilter(help_text="Exactly this one.")
    category = BranchFilter(help_text="Slug of a category; those below it are taken, too.")
    in_stock = InStockFilter(help_text="Whether units are left.")
    search = TextFilter(
        field_name="name",
        lookup_expr="icontains",
        max_length=100,
        help_text="Part of the name; three letters or digits in a row make it quick.",
    )
    min_price = MoneyFilter(field_name="price", lookup_expr="gte", help_text='Such as "1.50".')
    max_price = MoneyFilter(field_name="price", lookup_expr="lte", help_text='Such as "9.99".')
    low_stock = LowStockFilter(staff_only=True, help_text="Staff only: at their threshold.")
    active = FlagFilter(staff_only=True, help_text="Staff only.")

    def check(self, values: Mapping[str, Any]) -> None:
        if {"min_price", "max_price"} <= values.keys() and values["min_price"] > values[
            "max_price"
        ]:
            raise InvalidInput("min_price is above max_price.")


class MovementFilterSet(StrictFilterSet):
    kind = ChoiceFilter(choices=StockMovement.Kind.choices)
    # A keyword of Python's, so that no assignment can name it.
    vars()["from"] = MomentFilter(field_name="at", lookup_expr="gte", help_text="Then or later.")
    to = MomentFilter(field_name="at", lookup_expr="lt", help_text="Before then.")

    def check(self, values: Mapping[str, Any]) -> None:
        if {"from", "to"} <= values.keys() and values["from"] > values["to"]:
            raise InvalidInput("from is after to.")
