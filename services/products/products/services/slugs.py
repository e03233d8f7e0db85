"""Slugs belong to one product or one category for ever."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from products.errors import SlugTaken


@contextmanager
def refusing_taken_slugs() -> Iterator[None]:
    """Let the database decide whether a slug is free: asking first would be a race.

    Raises:
        SlugTaken: another row has it.
    """
    try:
        # A savepoint, since the error would end the caller's transaction.
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "slug" not in str(error):
            raise
        raise SlugTaken("Choose another slug.") from error
