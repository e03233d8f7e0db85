"""What products and categories are called in the language that a client asks for."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from products.models import BASE_LANGUAGE, SEARCH_CONFIGURATIONS
from products.search import marked
from servicekit.http.problems import InvalidInput

LANGUAGES = tuple(SEARCH_CONFIGURATIONS)
#: What `product_in` needs of a product's row, beside what it gives another name.
TRANSLATED = ("translations", "category__translations", "category__name")
LANGUAGE = OpenApiParameter(
    "language", enum=LANGUAGES, description=f"Of names and descriptions; {BASE_LANGUAGE} without."
)
Row = dict[str, Any]


def language_of(parameters: Any) -> str:
    """Return the language that the query parameters ask for.

    Raises:
        InvalidInput: there is no such language.
    """
    language: str = parameters.get("language", BASE_LANGUAGE)
    if language not in LANGUAGES:
        raise InvalidInput(f"language is one of {', '.join(LANGUAGES)}.")
    return language


def product_in(language: str, row: Row) -> Row:
    """Return a product's row with its name, description and category in a language.

    What is not translated stays as it is.
    """
    if language == BASE_LANGUAGE:
        return row
    category = (row["category__translations"] or {}).get(language, {})
    return {
        **row,
        **row["translations"].get(language, {}),
        "category__name": category.get("name", row["category__name"]),
    }


def category_in(language: str, row: Row) -> Row:
    """Return a category's row with its name in a language."""
    return row if language == BASE_LANGUAGE else {**row, **row["translations"].get(language, {})}


def with_highlight(row: Row) -> Row:
    """Return the row of a search with what the body's `highlight` is made of."""
    return {
        **row,
        "highlight__name": marked(row["found_name"]),
        "highlight__description": marked(row["found_description"]),
    }
