"""What the list of products can be filtered by."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from products import search, selectors
from products.api.attributes.attribute_filter import AttributesFilter
from products.api.permissions import CountsStock, SeesHidden
from products.api.serializers import ProductRead
from products.api.wording import LANGUAGES, TRANSLATED
from products.models import BASE_LANGUAGE, CURRENCIES, Product, StockAlert, StockMovement
from servicekit.http.filters import (
    Callers,
    ChoiceFilter,
    FlagFilter,
    MomentFilter,
    MoneyFilter,
    StrictFilterSet,
    TextFilter,
)
from servicekit.http.pagination import Ordering
from servicekit.http.problems import InvalidInput

MAX_RATING = 5
#: Pages by popularity end where the last row's ends.
LIST_COLUMNS = (*ProductRead.columns(), "popularity")
BY_RELEVANCE = Ordering("relevance", float, descending=True, needs="search")


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


class RatingFilter(MoneyFilter):
    """By the average of the reviews."""

    def filter(self, rows: QuerySet[Any], value: Decimal) -> QuerySet[Any]:
        """Return the rows that are rated so or better.

        Raises:
            InvalidInput: nothing can be rated better than 5.
        """
        if value > MAX_RATING:
            raise InvalidInput("min_rating is at most 5.")
        return super().filter(rows, value)


class LowStockFilter(FlagFilter):
    """By whether there is an open alert."""

    def filter(self, rows: QuerySet[Any], value: bool | None) -> QuerySet[Any]:
        """Return the rows whose stock is low, those whose is not, or with None both."""
        if value is None:
            return rows
        is_low = Exists(StockAlert.objects.filter(product=OuterRef("pk"), closed_at=None))
        return rows.filter(is_low if value else ~is_low)


class SearchFilter(TextFilter):
    """By words of names, SKUs and descriptions; by relevance unless another order is asked for."""

    parent: "ProductFilterSet"

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return what is found; of a list with its highlights."""
        asked = search.parse(value)
        if asked is None:
            return search.nothing(rows)
        if self.parent.takes_all:
            return search.find(rows, asked)
        parameters = self.parent.data
        is_ranked = parameters.get("ordering", BY_RELEVANCE.name) == BY_RELEVANCE.name
        found = search.ranked(rows, asked) if is_ranked else search.find(rows, asked)
        return search.highlighted(found, asked, parameters.get("language", BASE_LANGUAGE))


class LanguageFilter(ChoiceFilter):
    """Filters nothing: the view answers in this language (wording.py)."""

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows with their translations."""
        return (
            rows
            if value == BASE_LANGUAGE
            else rows.values(*dict.fromkeys([*LIST_COLUMNS, *TRANSLATED]))
        )


class ProductFilterSet(StrictFilterSet):
    """The filters of the list, which is read page by page."""

    #: Whether all that is found is taken, not only the best: nothing is ranked or highlighted.
    takes_all = False
    slug = TextFilter(help_text="Exactly this one.")
    sku = TextFilter(help_text="Exactly this one.")
    category = BranchFilter(help_text="Slug of a category; those below it are taken, too.")
    in_stock = InStockFilter(help_text="Whether units are left.")
    min_price = MoneyFilter(field_name="price", lookup_expr="gte", help_text='Such as "1.50".')
    max_price = MoneyFilter(field_name="price", lookup_expr="lte", help_text='Such as "9.99".')
    min_rating = RatingFilter(
        field_name="rating_average", lookup_expr="gte", help_text='From "1" to "5".'
    )
    attributes = AttributesFilter(
        help_text="Such as `colour:red,colour:blue,height:10..20`: of a key any, of all keys all.",
    )
    low_stock = LowStockFilter(only_for=CountsStock, help_text="Staff only: at their threshold.")
    active = FlagFilter(only_for=SeesHidden, help_text="Staff only.")
    language = LanguageFilter(
        choices=[(name, name) for name in LANGUAGES], help_text="Of names and descriptions."
    )
    # After the others: among what they leave, it takes what is ranked.
    search = SearchFilter(
        max_length=100,
        help_text="Words of names, SKUs and descriptions, also their beginnings and misspelt.",
    )

    def check(self, values: Mapping[str, Any]) -> None:
        if {"min_price", "max_price"} <= values.keys() and values["min_price"] > values[
            "max_price"
        ]:
            raise InvalidInput("min_price is above max_price.")


class WholeFilterSet(ProductFilterSet):
    """The same where all that is found is counted, exported or changed."""

    takes_all = True
    language = None  # type: ignore[assignment]  # django-filter's way to leave one out


class BulkFilterSet(WholeFilterSet):
    """Those of staff's bulk operations: with two more, which read every product."""

    name_contains = TextFilter(
        field_name="name", lookup_expr="icontains", max_length=100, help_text="Part of the name."
    )
    currency = ChoiceFilter(choices=[(code, code) for code in CURRENCIES], help_text="Of prices.")

    def is_allowed(self, callers: Callers) -> bool:
        """Return True: nobody else starts an operation, and the worker has no request."""
        return True


def list_matching(members: Mapping[str, Any]) -> QuerySet[Product]:
    """Return the products that the `filter` of a bulk operation is for, in any order.

    Raises:
        InvalidInput: a value cannot be read, or there is nothing of that name.
    """
    words = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in members.items()
    }
    rows = selectors.list_products()
    if "search" not in members:
        return BulkFilterSet(words, rows).qs
    with search.planned():
        return BulkFilterSet(words, rows).qs


class MovementFilterSet(StrictFilterSet):
    kind = ChoiceFilter(choices=StockMovement.Kind.choices)
    # A keyword of Python's, so that no assignment can name it.
    vars()["from"] = MomentFilter(field_name="at", lookup_expr="gte", help_text="Then or later.")
    to = MomentFilter(field_name="at", lookup_expr="lt", help_text="Before then.")

    def check(self, values: Mapping[str, Any]) -> None:
        if {"from", "to"} <= values.keys() and values["from"] > values["to"]:
            raise InvalidInput("from is after to.")
