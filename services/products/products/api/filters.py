"""What the list of products can be filtered by."""

from collections.abc import Mapping
from typing import Any

from servicekit.http.filters import FlagFilter, MoneyFilter, StrictFilterSet, TextFilter
from servicekit.http.problems import InvalidInput


class ProductFilterSet(StrictFilterSet):
    slug = TextFilter(help_text="Exactly this one.")
    category = TextFilter(field_name="category__slug", help_text="Slug of a category.")
    search = TextFilter(
        field_name="name",
        lookup_expr="icontains",
        max_length=100,
        help_text="Part of the name; three letters or digits in a row make it quick.",
    )
    min_price = MoneyFilter(field_name="price", lookup_expr="gte", help_text='Such as "1.50".')
    max_price = MoneyFilter(field_name="price", lookup_expr="lte", help_text='Such as "9.99".')
    active = FlagFilter(staff_only=True, help_text="Staff only.")

    def check(self, values: Mapping[str, Any]) -> None:
        if {"min_price", "max_price"} <= values.keys() and values["min_price"] > values[
            "max_price"
        ]:
            raise InvalidInput("min_price is above max_price.")
