"""What the list of products can be filtered by."""

from typing import Any

from django import forms

from servicekit.http.filters import FlagFilter, MoneyFilter, StrictFilterSet, TextFilter


class PriceRange(forms.Form):
    """The rule that two of the filters have together."""

    def clean(self) -> dict[str, Any]:
        asked = self.cleaned_data
        if {"min_price", "max_price"} <= asked.keys() and asked["min_price"] > asked["max_price"]:
            raise forms.ValidationError("min_price is above max_price.")
        return asked


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

    class Meta:
        form = PriceRange
