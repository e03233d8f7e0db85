"""Filters of the list that look further than one column."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products.api.bulk_serializers import BulkFilter
from products.api.filters import ProductFilterSet
from products.branches import MERGED
from products.models import Category, Product, StockAlert
from products.services.attributes import create_attribute
from products.services.categories import create_category, edit_category
from servicekit.testing.client import Caller, decoded, problem
from tests.bulk import change
from tests.factories import make_product

PATH = "/api/products/"
WORDS: dict[str, Any] = {"true": True, "false": False}
Found = Callable[[str], list[str]]


@pytest.fixture
def found(nobody: Caller) -> Found:
    """The slugs that a query finds, cheapest first."""

    def ask(query: str) -> list[str]:
        page: dict[str, Any] = decoded(nobody.get(f"{PATH}?ordering=price&{query}"))
        return [each["slug"] for each in page["results"]]

    return ask


def tree() -> dict[str, Category]:
    """home > (light > lamps, linen); garden: each with a product of its slug."""
    made: dict[str, Category] = {}
    for number, (slug, parent) in enumerate(
        [("home", ""), ("light", "home"), ("lamps", "light"), ("linen", "home"), ("garden", "")]
    ):
        made[slug] = create_category(slug=slug, name=slug.title(), parent=made.get(parent))
        make_product(slug=f"in-{slug}", category=made[slug], price=Decimal(number + 1))
    return made


@pytest.mark.django_db
def test_category_finds_what_is_below_it(found: Found) -> None:
    tree()

    assert found("category=home") == ["in-home", "in-light", "in-lamps", "in-linen"]
    assert found("category=light") == ["in-light", "in-lamps"]
    assert found("category=lamps") == ["in-lamps"]
    assert found("category=nothing") == []


@pytest.mark.django_db
def test_category_that_moved_takes_its_products_along(found: Found) -> None:
    made = tree()

    edit_category(category_id=made["light"].pk, changes={"parent": made["garden"]})

    assert found("category=home") == ["in-home", "in-linen"]
    assert found("category=garden") == ["in-light", "in-lamps", "in-garden"]


@pytest.mark.django_db
def test_page_of_a_branch_is_a_constant_number_of_queries(nobody: Caller) -> None:
    tree()
    counts = set()
    for slug in ("home", "lamps"):
        with CaptureQueriesContext(connection) as queries:
            decoded(nobody.get(f"{PATH}?category={slug}"))
        counts.add(len(queries))

    # The branch, the page, and around them a transaction with its settings.
    assert counts == {5}


@pytest.mark.django_db
@pytest.mark.parametrize("order", ["created_at", "-created_at", "price", "-price"])
def test_pages_of_a_branch_name_each_product_once_in_their_order(
    nobody: Caller, order: str
) -> None:
    tree()
    expected = ["in-home", "in-light", "in-lamps", "in-linen"]

    found: list[str] = []
    path = f"{PATH}?category=home&ordering={order}&page_size=1&in_stock=true&language=de"
    while path:
        page = decoded(nobody.get(path))
        found += [each["slug"] for each in page["results"]]
        path = page["next"]

    assert found == (expected[::-1] if order.startswith("-") else expected)


@pytest.mark.django_db
def test_branch_of_very_many_categories_is_listed_too(nobody: Caller) -> None:
    root = create_category(slug="root", name="Root")
    for number in range(MERGED):
        create_category(slug=f"below-{number}", name="Below", parent=root)
    make_product(slug="at-the-root", category=root)

    page = decoded(nobody.get(f"{PATH}?category=root"))

    assert [each["slug"] for each in page["results"]] == ["at-the-root"]


@pytest.mark.django_db
def test_in_stock_finds_what_has_units_left(found: Found, nobody: Caller) -> None:
    make_product(slug="full", stock=2, price=Decimal(1))
    make_product(slug="empty", stock=0, price=Decimal(2))

    assert found("in_stock=true") == ["full"]
    assert found("in_stock=false") == ["empty"]
    assert found("in_stock=all") == found("") == ["full", "empty"]
    problem(nobody.get(f"{PATH}?in_stock=yes"), 400)


@pytest.mark.django_db
def test_rows_say_whether_units_are_left(nobody: Caller) -> None:
    make_product(slug="full", stock=1, price=Decimal(1))
    make_product(slug="empty", stock=0, price=Decimal(2))

    listed = decoded(nobody.get(f"{PATH}?ordering=price"))["results"]

    assert [(each["slug"], each["is_in_stock"]) for each in listed] == [
        ("full", True),
        ("empty", False),
    ]


QUERIES = [
    {},
    {"category": "home"},
    {"min_price": "2", "max_price": "4"},
    {"in_stock": "false"},
    {"min_rating": "4"},
    {"attributes": "colour:red"},
    {"low_stock": "true"},
    {"slug": "in-lamps"},
    {"sku": "S-1"},
    {"active": "false"},
    {"search": "lanterns"},
    {"search": "lanten", "in_stock": "true"},
    {"search": "?"},
]


@pytest.mark.django_db
def test_filter_means_the_same_in_lists_facets_exports_and_bulk_operations(staff: Caller) -> None:
    made = list(tree().values())
    create_attribute(key="colour", type="text", name="Colour")
    red = make_product(slug="red", attributes={"colour": "red"}, sku="S-1", category=made[0])
    make_product(slug="empty", stock=0, active=False)
    Product.objects.filter(pk=red.pk).update(rating_average=5)
    StockAlert.objects.create(product=red, stock=1, threshold=2)

    for query in QUERIES:
        parameters = urlencode({"active": "all", **query})
        listed = decoded(staff.get(f"{PATH}?{parameters}"))["results"]
        exported = decoded(staff.get(f"{PATH}export/json/?{parameters}"))
        counted = decoded(staff.get(f"{PATH}facets/?{parameters}"))
        members = {name: WORDS.get(value, value) for name, value in query.items()}
        operation = change("activate", filter=members)

        slugs = {row["slug"] for row in listed}
        assert {row["slug"] for row in exported} == slugs, query
        assert counted["total"] == operation.total == len(slugs), query
        Product.objects.filter(slug="empty").update(active=False)


@pytest.mark.django_db
def test_bulk_operations_take_every_filter_of_the_list() -> None:
    assert set(BulkFilter().fields) == (
        set(ProductFilterSet.base_filters) - {"language"} | {"name_contains", "currency"}
    )
