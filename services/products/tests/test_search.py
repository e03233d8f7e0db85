"""What a search finds, and in which order."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from products.models import Product, SearchWord
from products.services.products import edit_product
from servicekit.testing.client import Caller, decoded, problem
from tests.factories import make_product

PATH = "/api/products/"
Found = Callable[..., list[str]]


def url(**parameters: str) -> str:
    return f"{PATH}?{urlencode(parameters)}"


@pytest.fixture
def page(nobody: Caller) -> Callable[..., list[dict[str, Any]]]:
    """The rows that a search finds, in the order of the answer."""

    def ask(text: str, **parameters: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = decoded(nobody.get(url(search=text, **parameters)))["results"]
        return rows

    return ask


@pytest.fixture
def found(page: Callable[..., list[dict[str, Any]]]) -> Found:
    """The names that a search finds, in the order of the answer."""
    return lambda text, **parameters: [row["name"] for row in page(text, **parameters)]


def make_named(*names: str) -> None:
    for name in names:
        make_product(name=name)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lantern", "WHITE METAL LANTERN"),
        ("lanterns", "WHITE METAL LANTERN"),
        ("metal white", "WHITE METAL LANTERN"),
        ("the lantern of metal", "WHITE METAL LANTERN"),
        ("lant", "WHITE METAL LANTERN"),
        ("antern", "WHITE METAL LANTERN"),
        ("lantren", "WHITE METAL LANTERN"),
        ("lantern wihte", "WHITE METAL LANTERN"),
        ("t-light", "GLASS STAR T-LIGHT HOLDER"),
        ("star/holder", "GLASS STAR T-LIGHT HOLDER"),
        ("85123a", "CREAM HEART"),
        ("café", "CAFÉ CURTAIN"),
        ("cafe\u0301", "CAFÉ CURTAIN"),
    ],
)
def test_search_finds_words_their_inflections_beginnings_parts_and_misspellings(
    found: Found, text: str, name: str
) -> None:
    make_named("WHITE METAL LANTERN", "GLASS STAR T-LIGHT HOLDER", "CAFÉ CURTAIN")
    make_product(name="CREAM HEART", sku="85123A")

    assert found(text) == [name]


@pytest.mark.django_db
def test_search_ranks_whole_words_before_beginnings_and_misspellings(found: Found) -> None:
    make_named("Lantren", "Lanternfish", "Old lantern of brass", "Lantern")

    assert found("lantern")[:2] == ["Lantern", "Old lantern of brass"]
    assert sorted(found("lantern")[2:]) == ["Lanternfish", "Lantren"]
    assert found("lantren")[0] == "Lantren"
    assert "Lantern" in found("lantren")


@pytest.mark.django_db
def test_search_ranks_names_before_descriptions(found: Found) -> None:
    make_product(name="Hook", description="It holds a lantern.")
    make_product(name="Lantern", description="It hangs on a hook.")

    assert found("lantern") == ["Lantern", "Hook"]
    assert found("hook") == ["Hook", "Lantern"]


@pytest.mark.django_db
def test_search_knows_the_words_of_both_languages(found: Found, page: Any) -> None:
    make_product(
        name="Lantern",
        description="For the garden.",
        translations={"de": {"name": "Laterne", "description": "Für die schönen Gärten."}},
    )
    make_product(name="Chair", translations={"de": {"name": "Stuhl"}})

    assert found("Laternen") == ["Lantern"]
    assert found("latrene") == ["Lantern"]
    assert found("schöner garten", language="de") == ["Laterne"]
    assert found("stühle", language="de") == ["Stuhl"]
    (row,) = page("laterne", language="de")
    assert row["highlight"]["name"] == "<mark>Laterne</mark>"
    assert (row["name"], row["description"]) == ("Laterne", "Für die schönen Gärten.")


@pytest.mark.django_db
def test_highlight_is_escaped_html(page: Any) -> None:
    make_product(
        name="<script>alert(1)</script> & lantern",
        description="A lantern <b>shines</b>. " + "Dull words follow here. " * 50,
    )

    (row,) = page("lanterns")
    assert row["highlight"]["name"] == (
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <mark>lantern</mark>"
    )
    assert "<mark>lantern</mark>" in row["highlight"]["description"]
    assert "<b>" not in row["highlight"]["description"]
    assert len(row["highlight"]["description"]) < 300


@pytest.mark.django_db
def test_list_without_search_has_no_highlight_and_no_relevance(nobody: Caller) -> None:
    make_named("Lantern")

    (row,) = decoded(nobody.get(PATH))["results"]
    assert "highlight" not in row
    refusal = problem(nobody.get(url(ordering="-relevance")), 400, "invalid")
    assert "relevance" not in refusal["detail"]


@pytest.mark.django_db
def test_pages_by_relevance_name_every_product_once(nobody: Caller) -> None:
    make_named(*(f"Lantern {'of brass ' * (number % 3)}{number}" for number in range(25)))
    make_named(*(f"Lanternfish {number}" for number in range(10)))
    seen: list[str] = []
    link: str | None = f"{PATH}?search=lantern&page_size=4"

    while link:
        answer = decoded(nobody.get(link))
        seen += [row["name"] for row in answer["results"]]
        link = answer["next"]

    assert len(seen) == len(set(seen)) == 35
    assert all(name.startswith("Lantern ") for name in seen[:25])


@pytest.mark.django_db
def test_search_goes_with_filters_and_other_orders(found: Found) -> None:
    for number, price in enumerate(["3.00", "1.00", "2.00"]):
        make_product(name=f"Lantern {number}", price=Decimal(price))
    make_product(name="Lantern off", price=Decimal("0.50"), active=False)

    assert found("lantern", ordering="price") == ["Lantern 1", "Lantern 2", "Lantern 0"]
    assert sorted(found("lantern", max_price="2.00")) == ["Lantern 1", "Lantern 2"]


@pytest.mark.django_db
def test_search_follows_an_edit(found: Found) -> None:
    product = make_product(name="Lantern")

    edit_product(product_id=product.pk, changes={"name": "Saddle"})

    assert (found("lantern"), found("sadlde")) == ([], ["Saddle"])
    assert set(SearchWord.objects.values_list("word", flat=True)) == {"lantern", "saddle"}


@pytest.mark.django_db
def test_numbers_are_no_words_to_misspell(found: Found) -> None:
    make_named("Lantern 85123")

    assert found("85123") == ["Lantern 85123"]
    assert found("85124") == []
    assert list(SearchWord.objects.values_list("word", flat=True)) == ["lantern"]


@pytest.mark.django_db
def test_rows_of_a_search_are_a_constant_number_of_queries(
    nobody: Caller, django_assert_num_queries: Any
) -> None:
    make_named(*(f"Lantern {number}" for number in range(30)))

    # A savepoint and its end, the plan's settings, the words, the keys of what is ranked, the page.
    with django_assert_num_queries(6):
        decoded(nobody.get(url(search="lantern glass thing")))
    with django_assert_num_queries(6):
        assert len(decoded(nobody.get(url(search="lantern")))["results"]) == 20


class TestAnyText(TestCase):
    """Whatever is typed is searched or refused, and never interpreted."""

    @settings(max_examples=150, deadline=None)
    @given(
        st.text(min_size=1, max_size=100)
        | st.sampled_from(
            [
                "%_\\",
                "' OR 1=1--",
                "); DROP TABLE product",
                "a & | ! <-> b:* ('",
                "(a+)+$",
                "🏮",
                "1e400 -5 3.14 0x10",
                "www.example.com/a/b?c=d e@f.gh",
                "the of und die",
                "a" * 100,
                "\u00df \u0131 \u0130 \u017f \ufb01",
            ]
        )
    )
    def test_search_is_answered_or_refused(self, text: str) -> None:
        if not Product.objects.exists():
            make_named("Lantern")

        answer = Caller().get(url(search=text))

        assert answer.status_code in (200, 400), answer.content
