"""Every write to the catalogue. Changes of stock are in stock.py."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError
from django.utils import timezone

from products.errors import CategoryCycle, CategoryGone, CategoryInUse, SlugTaken, StaleVersion
from products.events import CategoryState, ProductChanged, ProductDeleted
from products.models import Category, Product, StockMovement
from servicekit.messaging.outbox import Outgoing, publish, publish_many

MAX_CATEGORY_DEPTH = 10
PUBLISHED_AT_ONCE = 500
# How deep the parent is, how high the branch that hangs on the category, and whether the parent is in that branch.
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


def create_product(  # noqa: PLR0913 - a product has that many fields, each named
    *,
    slug: str,
    name: str,
    price: Decimal,
    currency: str,
    stock: int = 0,
    description: str = "",
    active: bool = True,
    category: Category | None = None,
    by: UUID | None = None,
) -> Product:
    """Create a product with its first stock in the ledger, and publish its state.

    Raises:
        SlugTaken: another product, perhaps a deleted one, has the slug.
        CategoryGone: the category was deleted meanwhile.
    """
    product = Product(
        slug=slug,
        name=name,
        price=price,
        currency=currency,
        stock=stock,
        description=description,
        active=active,
        category=category,
    )
    with transaction.atomic():
        if product.category:
            product.category = _locked(product.category)
        _save_new(product)
        if stock:
            StockMovement.objects.create(
                product=product, kind=StockMovement.Kind.INITIAL, quantity=stock, by=by
            )
        _publish_state(product)
    return product


def edit_product(
    *, product_id: UUID, changes: dict[str, Any], if_versions: Collection[int] | None = None
) -> Product:
    """Change catalogue fields (never the stock) and publish the new state; without a real change nothing happens.

    Raises:
        Product.DoesNotExist: there is none, or it was deleted.
        StaleVersion: the product's version is not among `if_versions`.
        SlugTaken: another product has the slug.
        CategoryGone: the category was deleted meanwhile.
    """
    with transaction.atomic():
        if changes.get("category"):
            changes = {**changes, "category": _locked(changes["category"])}
        product = Product.objects.select_for_update(of=["self"]).get(pk=product_id, deleted_at__isnull=True)
        _check_version(product, if_versions)
        changed = [name for name, value in changes.items() if getattr(product, name) != value]
        if not changed:
            return product
        for name in changed:
            setattr(product, name, changes[name])
        product.version += 1
        product.updated_at = timezone.now()
        _refuse_duplicates(lambda: product.save(update_fields=[*changed, "version", "updated_at"]))
        _publish_state(product)
    return product


def delete_product(*, product_id: UUID, if_versions: Collection[int] | None = None) -> None:
    """Take a product out of the shop for good; the row stays for the orders and the ledger that name it.

    Raises:
        Product.DoesNotExist: there is none, or it was deleted before.
        StaleVersion: the product's version is not among `if_versions`.
    """
    with transaction.atomic():
        product = Product.objects.select_for_update(of=["self"]).get(pk=product_id, deleted_at__isnull=True)
        _check_version(product, if_versions)
        product.active = False
        product.category = None  # it must not hold a category that shows nothing any more
        product.deleted_at = product.updated_at = timezone.now()
        product.version += 1
        product.save(update_fields=["active", "category", "deleted_at", "updated_at", "version"])
        event = ProductDeleted(product_id=product.pk, version=product.version)
        publish(event, subject=str(product.pk), sequence=product.version)


def create_category(*, slug: str, name: str, parent: Category | None = None) -> Category:
    """Create a category.

    Raises:
        SlugTaken: another category has the slug.
        CategoryCycle: the tree would be deeper than ten.
    """
    category = Category(slug=slug, name=name, parent=parent)
    with transaction.atomic():
        if parent:
            _lock_tree()
            _check_place(category)
        _refuse_duplicates(lambda: category.save(force_insert=True))
    return category


def edit_category(*, category_id: UUID, changes: dict[str, Any]) -> Category:
    """Rename or move a category; after a rename its products' states are published anew, since they carry its name.

    Raises:
        Category.DoesNotExist, SlugTaken, CategoryCycle
    """
    with transaction.atomic():
        _lock_tree()
        category = Category.objects.get(pk=category_id)
        changed = [name for name, value in changes.items() if getattr(category, name) != value]
        for name in changed:
            setattr(category, name, changes[name])
        if "parent" in changed:
            _check_place(category)
        if changed:
            _refuse_duplicates(lambda: category.save(update_fields=changed))
        if {"slug", "name"} & set(changed):
            _publish_products_of(category)
    return category


def delete_category(*, category_id: UUID) -> None:
    """Delete an empty category.

    Raises:
        Category.DoesNotExist
        CategoryInUse: products or categories are below it.
    """
    try:
        with transaction.atomic():
            Category.objects.get(pk=category_id).delete()
    except (ProtectedError, IntegrityError) as error:  # the latter: something came below it meanwhile
        raise CategoryInUse("Move what is below it first.") from error


def _check_version(product: Product, if_versions: Collection[int] | None) -> None:
    if if_versions is not None and product.version not in if_versions:
        raise StaleVersion(f"It is at version {product.version} now.", members={"version": product.version})


def _save_new(product: Product) -> None:
    _refuse_duplicates(lambda: product.save(force_insert=True))
    product.refresh_from_db(fields=["created_at", "updated_at"])


def _refuse_duplicates(save: Any) -> None:
    """Let the database decide whether a slug is free: asking first would be a race."""
    try:
        with transaction.atomic():
            save()
    except IntegrityError as error:
        if "slug" not in str(error):
            raise
        raise SlugTaken("Choose another slug.") from error


def _lock_tree() -> None:
    """Let the tree be changed by nobody else: two moves at once could each be right and together make a cycle.

    Whoever locks categories and products locks categories first (docs/adr/0057-a-category-is-renamed-at-once.md).
    """
    list(Category.objects.select_for_update(no_key=True).order_by("id").values_list("id"))


def _locked(category: Category) -> Category:
    """Return the category as it is now; it cannot be renamed or deleted before this transaction ends.

    Raises:
        CategoryGone: it was deleted since it was read.
    """
    for row in Category.objects.raw("SELECT * FROM category WHERE id = %s FOR SHARE", [category.pk]):
        return row
    raise CategoryGone("The category was deleted meanwhile.")


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
    if above + height > MAX_CATEGORY_DEPTH:
        raise CategoryCycle(
            f"The tree would be {above + height} levels deep there; at most {MAX_CATEGORY_DEPTH} are allowed."
        )


def _publish_products_of(category: Category) -> None:
    """Publish the states of a category's products anew, in sets, within the transaction of the rename.

    Deleted products are left alone: nothing may follow their last event.
    """
    there = Product.objects.filter(category=category, deleted_at__isnull=True).order_by("id")
    # In the sequence in which stock.py locks them. No key changes, so ledger rows may refer to them meanwhile.
    ids = list(there.select_for_update(no_key=True).values_list("id", flat=True))
    for start in range(0, len(ids), PUBLISHED_AT_ONCE):
        some = Product.objects.filter(pk__in=ids[start : start + PUBLISHED_AT_ONCE])
        some.update(version=F("version") + 1)
        publish_many([_state(product, category) for product in some.order_by("id")])


def _publish_state(product: Product) -> None:
    publish_many([_state(product, product.category)])


def _state(product: Product, category: Category | None) -> Outgoing:
    event = ProductChanged(
        product_id=product.pk,
        version=product.version,
        slug=product.slug,
        name=product.name,
        description=product.description,
        price=product.price,
        currency=product.currency,
        active=product.active,
        category=CategoryState(id=category.pk, slug=category.slug, name=category.name) if category else None,
    )
    return Outgoing(event, subject=str(product.pk), sequence=product.version)
