"""The words of names, for searches of misspelt words to be compared with."""

import re
from collections.abc import Iterable

from django.db import connection

from products.models import Product

#: Letters alone: nobody misspells a number, and numbers would be most of the words.
WORD = re.compile(r"[^\W\d_]{3,200}")
# The ORM's bulk_create would send a statement of one parameter a word. In order, so that two
# writers of the same words wait for each other, and never in a circle.
INSERT = """
    INSERT INTO search_word (word) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING
"""


def learn_words(products: Iterable[Product]) -> None:
    """Add the words of the products' names in every language."""
    words = {word for product in products for name in _names(product) for word in _words(name)}
    if words:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [sorted(words)])


def _names(product: Product) -> Iterable[str]:
    yield product.name
    for translation in product.translations.values():
        yield translation.get("name", "")


def _words(name: str) -> list[str]:
    return WORD.findall(name.lower())
