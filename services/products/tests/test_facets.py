"""Filters and facets agree with the same data looked at row by row."""

from collections import Counter
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from products import facets
from products.models import Category, Product
from products.services.attributes import create_attribute
from products.services.categories import create_category
from servicekit.testing.client import Caller, decoded, problem
from tests.factories import make_product

PATH = "/api/products/facets/"
#: Each below the one before it, or a root.
TREE = {"home": None, "light": "home", "lamps": "light", "garden": None}
BRANCHES = {
    "home": {"home", "light", "lamps"},
    "light": {"light", "lamps"},
    "lamps": {"lamps"},
    "garden": {"garden"},
}
ROWS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Lantern", "Red lantern", "Saddle"]),
        "price": st.integers(1, 5).map(Decimal),
        "stock": st.integers(0, 1),
        "rating_average": st.integers(0, 5).map(Decimal),
        "category": st.none() | st.sampled_from(sorted(TREE)),
        "attributes": st.fixed_dictionaries(
            {}, optional={"colour": st.sampled_from("rgb"), "height": st.integers(1, 3)}
        ),
    }
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "min_price": st.integers(1, 5).map(str),
        "max_price": st.integers(5, 6).map(str),
        "in_stock": st.sampled_from(["true", "false"]),
        "min_rating": st.integers(1, 5).map(str),
        "category": st.sampled_from(sorted(TREE)),
        "search": st.sampled_from(["lantern", "red", "sadlde"]),
        "attributes": st.sampled_from(
            ["colour:r", "colour:r,colour:b", "height:2..", "colour:g,height:1", "height:1"]
        ),
    },
)
FOUND = {"lantern": {"Lantern", "Red lantern"}, "red": {"Red lantern"}, "sadlde": {"Saddle"}}


def has(row: dict[str, Any], name: str, wanted: str) -> bool:
    """Whether a row is what one parameter asks for."""
    if name == "attributes":
        return all(has_value(row["attributes"], key, wanted) for key in ("colour", "height"))
    return {
        "min_price": lambda: row["price"] >= Decimal(wanted),
        "max_price": lambda: row["price"] <= Decimal(wanted),
        "in_stock": lambda: (row["stock"] > 0) == (wanted == "true"),
        "min_rating": lambda: row["rating_average"] >= int(wanted),
        "category": lambda: row["category"] in BRANCHES[wanted],
        "search": lambda: row["name"] in FOUND[wanted],
    }[name]()


def has_value(values: dict[str, Any], key: str, terms: str) -> bool:
    wanted = [
        value for name, value in (term.split(":") for term in terms.split(",")) if name == key
    ]
    if not wanted:
        return True
    own = values.get(key)
    if wanted == ["2.."]:
        return own is not None and own >= 2
    return str(own) in wanted


class TestFacets(TestCase):
    """Any catalogue, any filters."""

    @settings(max_examples=40, deadline=None)
    @given(st.lists(ROWS, max_size=8), ASKED)
    def test_list_and_facets_count_what_is_there(
        self, rows: list[dict[str, Any]], asked: dict[str, str]
    ) -> None:
        fill(rows)
        left = [row for row in rows if all(has(row, *each) for each in asked.items())]

        listed = decoded(Caller().get(f"/api/products/?{urlencode(asked)}"))["results"]
        counted = decoded(Caller().get(f"{PATH}?{urlencode(asked)}"))

        assert Counter(each["name"] for each in listed) == Counter(row["name"] for row in left)
        assert counted["total"] == len(left)
        assert counted["in_stock"] == sum(row["stock"] > 0 for row in left)
        prices = [f"{row['price']:.2f}" for row in left] or [None]
        assert counted["price"] == {"min": min(prices), "max": max(prices)}  # type: ignore[type-var]
        for each in counted["rating"]:
            assert each["count"] == sum(row["rating_average"] >= each["min_rating"] for row in left)
        assert {each["slug"]: each["count"] for each in counted["categories"]} == branches(
            left, asked.get("category")
        )
        for key in ("colour", "height"):
            assert values_of(counted, key) == values_of_rows(rows, asked, key)


def fill(rows: list[dict[str, Any]]) -> None:
    create_attribute(key="colour", type="text", name="Colour")
    create_attribute(key="height", type="number", name="Height")
    made: dict[str, Category] = {}
    for slug, parent in TREE.items():
        made[slug] = create_category(slug=slug, name=slug, parent=made.get(parent or ""))
    for row in rows:
        fields = {name: value for name, value in row.items() if name != "rating_average"}
        product = make_product(**{**fields, "category": made.get(row["category"] or "")})
        Product.objects.filter(pk=product.pk).update(rating_average=row["rating_average"])


def branches(left: list[dict[str, Any]], below: str | None) -> dict[str, int]:
    shown = [slug for slug, parent in TREE.items() if parent == below]
    counts = {slug: sum(row["category"] in BRANCHES[slug] for row in left) for slug in shown}
    return {slug: count for slug, count in counts.items() if count}


def values_of(counted: dict[str, Any], key: str) -> dict[Any, int]:
    return {
        value["value"]: value["count"]
        for each in counted["attributes"]
        if each["key"] == key
        for value in each["values"]
    }


def values_of_rows(rows: list[dict[str, Any]], asked: dict[str, str], key: str) -> dict[Any, int]:
    """A key's own terms do not narrow its counts."""
    terms = [each for each in asked.get("attributes", "").split(",") if not each.startswith(key)]
    others = {**asked, "attributes": ",".join(terms)}
    if not others["attributes"]:
        del others["attributes"]
    left = [row for row in rows if all(has(row, *each) for each in others.items())]
    return dict(Counter(row["attributes"][key] for row in left if key in row["attributes"]))


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["", "category=nothing", "search=%25", "search=nothing"])
def test_facets_of_nothing_are_empty(nobody: Caller, query: str) -> None:
    if query:
        make_product()

    assert decoded(nobody.get(f"{PATH}?{query}")) == {
        "total": 0,
        "is_complete": True,
        "price": {"min": None, "max": None},
        "in_stock": 0,
        "rating": [{"min_rating": at_least, "count": 0} for at_least in (1, 2, 3, 4)],
        "categories": [],
        "attributes": [],
    }


@pytest.mark.django_db
def test_facets_are_named_in_the_language_that_is_asked_for(nobody: Caller) -> None:
    create_attribute(
        key="colour", type="text", name="Colour", translations={"de": {"name": "Farbe"}}
    )
    category = create_category(
        slug="lamps", name="Lamps", translations={"de": {"name": "Leuchten"}}
    )
    make_product(category=category, attributes={"colour": "red"})

    counted = decoded(nobody.get(f"{PATH}?language=de"))

    assert [each["name"] for each in counted["categories"]] == ["Leuchten"]
    assert [each["name"] for each in counted["attributes"]] == ["Farbe"]


@pytest.mark.django_db
def test_facets_of_more_than_are_counted_say_so(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "MOST", 3)
    for _ in range(4):
        make_product()

    counted = decoded(nobody.get(PATH))

    assert (counted["total"], counted["is_complete"]) == (3, False)


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["cursor=x", "ordering=price", "page_size=5", "active=true"])
def test_facets_take_filters_and_nothing_else(nobody: Caller, query: str) -> None:
    problem(nobody.get(f"{PATH}?{query}"), 400)
