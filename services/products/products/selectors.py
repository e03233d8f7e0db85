"""Every read of the catalogue.

Callers name the columns they want: a list of twenty is one query, and no model instance is made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from products.models import Category, Product, StockMovement


def list_products() -> QuerySet[Product]:
    """Return every product that was not deleted; those for sale are `active`."""
    return Product.objects.filter(deleted_at__isnull=True)


@contextmanager
def planned_for_search() -> Iterator[None]:
    """Let PostgreSQL plan the queries of the block for the text that they search, each time.

    It may take one plan for any text after some executions; that plan reads the whole list in its
    order where nothing is found.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        yield


def list_movements(*, product_id: UUID) -> QuerySet[StockMovement]:
    """Return a product's ledger, newest first."""
    return StockMovement.objects.filter(product_id=product_id).order_by("-id")


def list_categories() -> QuerySet[Category]:
    """Return every category."""
    return Category.objects.all()
