"""Writes to the tree of categories."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError

from products.errors import CategoryCycle, CategoryGone, CategoryInUse
from products.models import Category, Product
from products.services.keys import refusing_taken_keys
from products.services.product_states import state_of
from servicekit.http.problems import NotFound
from servicekit.messaging.outbox import publish_many
from servicekit.operations import cache

MAX_CATEGORY_DEPTH = 10
#: Products of a renamed category in one statement: each carries a description, so this bounds
#: memory.
PUBLISHED_AT_ONCE = 500
# How deep the parent is, how high the branch that hangs on the category, and whether the parent is
# in that branch. Recursion is beyond the ORM, and a query for each level would be a walk.
PLACE = """
    WITH RECURSIVE above AS (
        SELECT id, parent_id, 1 AS depth FROM category WHERE id = %(parent)s
        UNION ALL
        SELECT c.id, c.parent_id, depth + 1 FROM category c JOIN above ON c.id = above.parent_id
    ), branch AS (
        SELECT %(category)s::uuid AS id, 1 AS height
        UNION ALL
        SELECT c.id, height + 1 FROM category c JOIN branch ON c.parent_id = branch.id
    )
    SELECT (SELECT max(depth) FROM above), (SELECT max(height) FROM branch),
           EXISTS (SELECT FROM above WHERE id = %(category)s)
"""
# The ORM has no FOR SHARE, and its FOR UPDATE would let one product at a time into a category.
LOCK = "SELECT * FROM category WHERE id = %s FOR SHARE"


def create_category(
    *,
    slug: str,
    name: str,
    translations: dict[str, dict[str, str]] | None = None,
    parent: Category | None = None,
) -> Category:
    """Create a category.

    Raises:
        SlugTaken: another category has the slug.
        CategoryCycle: the tree would be deeper than ten.
    """
    category = Category(slug=slug, name=name, translations=translations or {}, parent=parent)
    with transaction.atomic():
        if parent:
            _lock_tree()
            _check_place(category)
        with refusing_taken_keys():
            category.save(force_insert=True)
        cache.renew_after_commit()
    return category


def edit_category(*, category_id: UUID, changes: dict[str, Any]) -> None:
    """Rename or move a category; a rename publishes its products anew, since they carry its name.

    Raises:
        NotFound: there is no such category.
        SlugTaken: another category has the slug.
        CategoryCycle: it would be below itself, or the tree deeper than ten.
    """
    with transaction.atomic():
        _lock_tree()
        category = _category(category_id)
        changed = [name for name, value in changes.items() if getattr(category, name) != value]
        for name in changed:
            setattr(category, name, changes[name])
        if "parent" in changed:
            _check_place(category)
        if changed:
            with refusing_taken_keys():
                category.save(update_fields=changed)
            cache.renew_after_commit()
        if {"slug", "name"} & set(changed):
            _publish_products_of(category)


def delete_category(*, category_id: UUID) -> None:
    """Delete an empty category.

    Raises:
        NotFound: there is no such category.
        CategoryInUse: products or categories are below it.
    """
    try:
        with transaction.atomic():
            _category(category_id).delete()
            cache.renew_after_commit()
    except (ProtectedError, IntegrityError) as error:
        # The latter is of the database: something came below it after Django looked.
        raise CategoryInUse("Move what is below it first.") from error


def lock_category(category: Category) -> Category:
    """Return the category as it is now; it is not renamed or deleted before this transaction ends.

    Raises:
        CategoryGone: it was deleted since it was read.
    """
    for row in Category.objects.raw(LOCK, [category.pk]):
        return row
    raise CategoryGone("The category was deleted meanwhile.")


def _category(category_id: UUID) -> Category:
    category = Category.objects.filter(pk=category_id).first()
    if category is None:
        raise NotFound
    return category


def _lock_tree() -> None:
    """Lock the tree: two moves at once could make a cycle that neither of them sees.

    Whoever locks categories and products locks categories first
    (docs/adr/0057-a-category-is-renamed-at-once.md).
    """
    list(Category.objects.select_for_update(no_key=True).order_by("id").values_list("id"))


def _check_place(category: Category) -> None:
    """Look at everything above the category's parent and below the category.

    Raises:
        CategoryCycle: it would be below itself, or its branch deeper than ten.
    """
    if category.parent_id is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(PLACE, {"category": category.pk, "parent": category.parent_id})
        above, height, is_cycle = cursor.fetchone()
    if is_cycle:
        raise CategoryCycle("A category cannot be below itself.")
    depth = above + height
    if depth > MAX_CATEGORY_DEPTH:
        raise CategoryCycle(
            f"The tree would be {depth} levels deep there; at most {MAX_CATEGORY_DEPTH} are"
            " allowed."
        )


def _publish_products_of(category: Category) -> None:
    """Publish the states of a category's products anew, in the transaction of the rename.

    Deleted products are left alone: nothing may follow their last event.
    """
    products = Product.objects.filter(category=category, deleted_at__isnull=True).order_by("id")
    # Locked in the sequence in which reservations.py locks them. Their keys stay, so ledger rows
    # may refer to them meanwhile.
    ids = list(products.select_for_update(no_key=True).values_list("id", flat=True))
    for start in range(0, len(ids), PUBLISHED_AT_ONCE):
        part = Product.objects.filter(pk__in=ids[start : start + PUBLISHED_AT_ONCE])
        part.update(version=F("version") + 1)
        publish_many([state_of(product, category) for product in part.order_by("id")])
