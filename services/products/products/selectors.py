"""Every read of the catalogue.

Callers name the columns they want: a list of twenty is one query, and no model instance is made.
"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet

from products.models import (
    THUMBNAIL_WIDTHS,
    Attribute,
    BulkError,
    BulkOperation,
    Category,
    Product,
    ProductImage,
    RelatedProduct,
    Review,
    StockMovement,
)

# Recursion is beyond the ORM. Each level is read by an index; the tree is at most ten levels deep
# (docs/adr/0082-categories-are-an-adjacency-list.md).
BRANCH = """
    WITH RECURSIVE branch AS (
        SELECT id FROM category WHERE slug = %s
        UNION ALL
        SELECT below.id FROM category AS below JOIN branch ON below.parent_id = branch.id
    )
    SELECT id FROM branch
"""
PATH = """
    WITH RECURSIVE path AS (
        SELECT id, slug, name, translations, parent_id, 1 AS step
        FROM category WHERE id = %s
        UNION ALL
        SELECT above.id, above.slug, above.name, above.translations, above.parent_id, step + 1
        FROM category AS above JOIN path ON above.id = path.parent_id
    )
    SELECT id, slug, name, translations FROM path ORDER BY step DESC
"""
#: After an upgrade they may be a million, and a scrape should not read them all.
UNSETTLED_COUNTED = 10_000
# Its literals are those of the partial index; the ORM's parameters would keep a generic plan off.
UNSETTLED = """
    SELECT count(*) FROM (
        SELECT FROM reservation WHERE status = 'reserved' AND confirmed_at IS NULL
            AND created_at < statement_timestamp() - make_interval(secs => %s) LIMIT %s
    ) AS counted
"""
#: So many related products are kept of each.
MOST_RELATED = 12
IMAGE_COLUMNS = ("id", "position", "alt", "name", "width", "height", "size_bytes", "created_at")


def list_products() -> QuerySet[Product]:
    """Return every product that was not deleted; those for sale are `active`."""
    return Product.objects.filter(deleted_at__isnull=True)


def low_stock_threshold(*, product_id: UUID) -> int:
    """Return the number of units at which staff are told; 0 is never."""
    return Product.objects.values_list("low_stock_threshold", flat=True).get(pk=product_id)


def list_movements(*, product_id: UUID) -> QuerySet[StockMovement]:
    """Return a product's ledger, newest first."""
    return StockMovement.objects.filter(product_id=product_id).order_by("-id")


def count_unsettled() -> int:
    """Return how many reservations should have ended long ago, up to UNSETTLED_COUNTED."""
    with connection.cursor() as cursor:
        cursor.execute(UNSETTLED, [settings.RESERVATION_SETTLED_SECONDS, UNSETTLED_COUNTED])
        return int(cursor.fetchone()[0])


def branch_ids(*, slug: str) -> list[UUID]:
    """Return the ids of a category and of all below it; none where there is no such category."""
    with connection.cursor() as cursor:
        cursor.execute(BRANCH, [slug])
        return [row[0] for row in cursor.fetchall()]


def category_path(*, category_id: UUID | None) -> list[dict[str, Any]]:
    """Return a category and all above it, the root first: id, slug, name and translations."""
    if category_id is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PATH, [category_id])
        return [
            {"id": key, "slug": slug, "name": name, "translations": json.loads(translations)}
            for key, slug, name, translations in cursor.fetchall()
        ]


def is_visible(*, product_id: UUID, is_staff: bool) -> bool:
    """Return whether the viewer may see the product: customers see what is for sale."""
    rows = list_products().filter(pk=product_id)
    return (rows if is_staff else rows.filter(active=True)).exists()


def list_reviews(*, viewer_id: UUID | None, is_staff: bool) -> QuerySet[Review]:
    """Return the reviews that the viewer may see: all that are shown, and one's own; staff all."""
    rows = Review.objects.annotate(is_hidden=Q(hidden_at__isnull=False))
    if is_staff:
        return rows
    shown = Q(hidden_at=None)
    return rows.filter(shown | Q(customer_id=viewer_id) if viewer_id else shown)


def list_images(*, product_id: UUID) -> list[dict[str, Any]]:
    """Return a product's images in their order, each with its file and, by their width in pixels,
    those of its thumbnails.
    """
    images = ProductImage.objects.filter(product_id=product_id).order_by("position")
    return [
        {
            **{name: getattr(image, name) for name in IMAGE_COLUMNS},
            "thumbnails": {str(width): image.thumbnail(width) for width in THUMBNAIL_WIDTHS},
        }
        for image in images
    ]


def list_related(
    *, product_id: UUID, category_id: UUID | None, columns: Iterable[str], limit: int
) -> list[dict[str, Any]]:
    """Return what customers who bought a product bought as well, and then, up to `limit`, the
    newest products of its category.
    """
    columns = tuple(dict.fromkeys(["id", *columns]))
    for_sale = Product.objects.filter(active=True)
    bought = RelatedProduct.objects.filter(product=product_id).order_by("-customers", "other")
    ids = list(bought.values_list("other", flat=True)[:MOST_RELATED])
    rows = {row["id"]: row for row in for_sale.filter(pk__in=ids).values(*columns)} if ids else {}
    found = [rows[key] for key in ids if key in rows][:limit]
    if len(found) < limit and category_id:
        others = for_sale.filter(category=category_id).order_by("-created_at", "-id")
        newest = others.values(*columns)[: limit + len(found) + 1]
        known = {product_id, *(row["id"] for row in found)}
        found += [row for row in newest if row["id"] not in known][: limit - len(found)]
    return found


def list_categories() -> QuerySet[Category]:
    """Return every category."""
    return Category.objects.all()


def list_attributes() -> QuerySet[Attribute]:
    """Return every attribute."""
    return Attribute.objects.all()


def attribute_keys() -> list[str]:
    """Return the keys of all attributes, sorted."""
    return list(Attribute.objects.order_by("key").values_list("key", flat=True))


def attribute_types(*, keys: Iterable[str]) -> dict[str, str]:
    """Return the types of those attributes that there are, by key."""
    return dict(Attribute.objects.filter(key__in=keys).values_list("key", "type"))


def list_bulk_operations() -> QuerySet[BulkOperation]:
    """Return every bulk operation that was not purged."""
    return BulkOperation.objects.all()


def list_bulk_errors(*, operation_id: UUID) -> QuerySet[BulkError]:
    """Return why an operation left products or lines as they were, in its order."""
    return BulkError.objects.filter(operation_id=operation_id)
