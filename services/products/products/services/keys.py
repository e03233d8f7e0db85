"""What products and categories are found by: slugs, which are theirs for ever, and SKUs."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from products.errors import SkuTaken, SlugTaken
from products.models import Product
from servicekit.database import violated_constraint

#: The slug of a name leaves room for a suffix.
MAX_BASE_LENGTH = 90
SUFFIX_BYTES = 3
#: Two suffixes at random are alike once in 16 million times.
ATTEMPTS = 5


@contextmanager
def refusing_taken_keys() -> Iterator[None]:
    """Let the database decide whether a slug or a SKU is free: asking first would be a race.

    Raises:
        SlugTaken: another row has the slug.
        SkuTaken: another product has the SKU.
    """
    try:
        # A savepoint, since the error would end the caller's transaction.
        with transaction.atomic():
            yield
    except IntegrityError as error:
        constraint = violated_constraint(error)
        if "slug" in constraint:
            raise SlugTaken("Choose another slug.") from error
        if "sku" in constraint:
            raise SkuTaken("Another product has this SKU.") from error
        raise


def insert_under_own_slug(product: Product) -> None:
    """Insert a product under a slug made from its name, with a suffix where that is taken.

    Raises:
        SlugTaken: no free slug was found, which no caller will ever see.
        SkuTaken: another product has the SKU.
    """
    # As the API takes slugs: Django's own may hold underscores.
    words = re.findall(r"[a-z0-9]+", slugify(product.name))
    base = "-".join(words)[:MAX_BASE_LENGTH].strip("-") or "product"
    product.slug = base
    for _ in range(ATTEMPTS):
        with suppress(SlugTaken), refusing_taken_keys():
            product.save(force_insert=True)
            return
        product.slug = f"{base}-{secrets.token_hex(SUFFIX_BYTES)}"
    raise SlugTaken("Choose a slug.")
