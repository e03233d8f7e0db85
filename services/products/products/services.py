"""Every write to the catalogue. Changes of stock are in stock.py."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from products.errors import CategoryCycle, CategoryInUse, SlugTaken, StaleVersion
from products.events import CategoryState, ProductChanged, ProductDeleted
from products.models import Category, Product, StockMovement
from servicekit.outbox import publish

MAX_CATEGORY_DEPTH = 10


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
        _save_new(product)
        if stock:
            StockMovement.objects.create(
                product=product, kind=StockMovement.Kind.INITIAL, quantity=stock, by=by
            )
        _publish_state(product)
    return product


def edit_product(*, product_id: UUID, changes: dict[str, Any], if_version: int | None = None) -> Product:
    """Change catalogue fields (never the stock) and publish the new state; without a real change nothing happens.

    Raises:
        Product.DoesNotExist: there is none, or it was deleted.
        StaleVersion: `if_version` is not the product's version.
        SlugTaken: another product has the slug.
    """
    with transaction.atomic():
        product = Product.objects.select_for_update(of=["self"]).get(pk=product_id, deleted_at__isnull=True)
        if if_version is not None and product.version != if_version:
            raise StaleVersion(
                f"It is at version {product.version} now.", members={"version": product.version}
            )
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


def delete_product(*, product_id: UUID) -> None:
    """Take a product out of the shop for good; the row stays for the orders and the ledger that name it.

    Raises:
        Product.DoesNotExist: there is none, or it was deleted before.
    """
    with transaction.atomic():
        product = Product.objects.select_for_update(of=["self"]).get(pk=product_id, deleted_at__isnull=True)
        product.active = False
        product.deleted_at = product.updated_at = timezone.now()
        product.version += 1
        product.save(update_fields=["active", "deleted_at", "updated_at", "version"])
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
        _check_ancestors(category)
        _refuse_duplicates(lambda: category.save(force_insert=True))
    return category


def edit_category(*, category_id: UUID, changes: dict[str, Any]) -> Category:
    """Rename or move a category; its products' states are published anew, since they carry its name.

    Raises:
        Category.DoesNotExist, SlugTaken, CategoryCycle
    """
    with transaction.atomic():
        # All of the tree is locked: two moves at once could each be right and together make a cycle.
        list(Category.objects.select_for_update().order_by("id").values_list("id"))
        category = Category.objects.get(pk=category_id)
        for name, value in changes.items():
            setattr(category, name, value)
        _check_ancestors(category)
        _refuse_duplicates(category.save)
        for product in (
            Product.objects.select_for_update(of=["self"]).filter(category=category).order_by("id")
        ):
            product.version += 1
            product.save(update_fields=["version"])
            _publish_state(product)
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
    except ProtectedError as error:
        raise CategoryInUse("Move what is below it first.") from error


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


def _check_ancestors(category: Category) -> None:
    ancestor, depth = category.parent, 1
    while ancestor is not None:
        depth += 1
        if ancestor.pk == category.pk or depth > MAX_CATEGORY_DEPTH:
            raise CategoryCycle("A category cannot be below itself, nor deeper than ten.")
        ancestor = ancestor.parent


def _publish_state(product: Product) -> None:
    category = product.category
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
    publish(event, subject=str(product.pk), sequence=product.version)
