"""Writes to the products of the catalogue. Their stock is in stock.py and reservations.py."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from products.errors import ProductHasStock, StaleVersion
from products.events import ProductDeleted
from products.models import Category, Product, ProductImage, StockMovement
from products.services import alerts
from products.services.alerts import StockLevel
from products.services.attributes import check_attributes
from products.services.categories import lock_category
from products.services.keys import insert_under_own_slug, refusing_taken_keys
from products.services.product_states import state_of
from products.services.search_words import learn_words
from servicekit.http.problems import InvalidInput, NotFound
from servicekit.messaging.outbox import publish, publish_many
from servicekit.operations import cache


class NewProduct(TypedDict, total=False):
    """The fields of a new product; those without a value are as the model has them."""

    name: Required[str]
    price: Required[Decimal]
    currency: Required[str]
    slug: str
    sku: str
    compare_at_price: Decimal | None
    stock: int
    low_stock_threshold: int
    description: str
    translations: dict[str, dict[str, str]]
    attributes: dict[str, Any]
    active: bool
    category: Category | None


def create_product(*, by: UUID | None = None, **fields: Unpack[NewProduct]) -> Product:
    """Create a product with its first stock in the ledger, and publish its state.

    Without a slug it gets one that is made from its name.

    Raises:
        SlugTaken: another product, perhaps a deleted product, has the slug.
        SkuTaken: another product has the SKU.
        InvalidInput: it cost no more before than it costs now, or an attribute is not as it should.
        CategoryGone: the category was deleted meanwhile.
    """
    product = Product(**fields)
    _check_prices(product)
    with transaction.atomic():
        check_attributes(product.attributes)
        if product.category:
            product.category = lock_category(product.category)
        _insert(product)
        learn_words([product])
        if product.stock:
            StockMovement.objects.create(
                product=product, kind=StockMovement.Kind.INITIAL, quantity=product.stock, by=by
            )
        publish_many([state_of(product, product.category)])
        cache.renew_after_commit()
        if threshold := product.low_stock_threshold:
            alerts.note_threshold(StockLevel(product.pk, product.stock, threshold))
    return product


def edit_product(
    *,
    product_id: UUID,
    changes: dict[str, Any],
    even_with_stock: bool = False,
    if_versions: Collection[int] | None = None,
) -> None:
    """Change catalogue fields, never the stock, and publish the new state if anything changed.

    Raises:
        NotFound: there is no such product, or it was deleted.
        StaleVersion: the product's version is not among `if_versions`.
        ProductHasStock: it would be switched off with units left, and not `even_with_stock`.
        InvalidInput: it cost no more before than it costs now, or an attribute is not as it should.
        SlugTaken: another product has the slug.
        SkuTaken: another product has the SKU.
        CategoryGone: the category was deleted meanwhile.
    """
    with transaction.atomic():
        # Before the product: whoever locks them and products locks them first.
        check_attributes(changes.get("attributes", {}))
        if changes.get("category"):
            changes = {**changes, "category": lock_category(changes["category"])}
        product = _lock_product(product_id, if_versions)
        changed = [name for name, value in changes.items() if getattr(product, name) != value]
        if not changed:
            return
        for name in changed:
            setattr(product, name, changes[name])
        _check_prices(product)
        if "active" in changed and not even_with_stock:
            _check_switched_off(product)
        product.version += 1
        product.updated_at = timezone.now()
        with refusing_taken_keys():
            product.save(update_fields=[*changed, "version", "updated_at"])
        if {"name", "translations"} & set(changed):
            learn_words([product])
        publish_many([state_of(product, product.category)])
        cache.renew_after_commit()
        if "low_stock_threshold" in changed:
            alerts.note_threshold(
                StockLevel(product.pk, product.stock, product.low_stock_threshold)
            )


def delete_product(*, product_id: UUID, if_versions: Collection[int] | None = None) -> None:
    """Take a product out of the shop for good; its row stays for the orders that name it.

    Raises:
        NotFound: there is no such product, or it was deleted before.
        StaleVersion: the product's version is not among `if_versions`.
    """
    with transaction.atomic():
        product = _lock_product(product_id, if_versions)
        product.active = False
        # It shows nothing any more, so it must not keep a category from deletion.
        product.category = None
        product.deleted_at = product.updated_at = timezone.now()
        product.version += 1
        product.save(update_fields=["active", "category", "deleted_at", "updated_at", "version"])
        ProductImage.objects.filter(product=product).delete()
        # Nobody fills it up again.
        alerts.note_threshold(StockLevel(product.pk, product.stock, 0))
        event = ProductDeleted(product_id=product.pk, version=product.version)
        publish(event, subject=str(product.pk), sequence=product.version)
        cache.renew_after_commit()


def _insert(product: Product) -> None:
    if not product.slug:
        insert_under_own_slug(product)
        return
    with refusing_taken_keys():
        product.save(force_insert=True)


def _check_prices(product: Product) -> None:
    """The database has the same rule; here it is told which member to mend."""
    before = product.compare_at_price
    if before is not None and before <= product.price:
        detail = f"Above the price, which is {product.price}; or null."
        error = {"pointer": "/compare_at_price", "code": "not_above_price", "detail": detail}
        raise InvalidInput("The input is not valid; errors says where.", errors=[error])


def _check_switched_off(product: Product) -> None:
    # Its row is locked, so no order takes or gives back units meanwhile.
    if product.stock and not product.active:
        raise ProductHasStock(
            f'{product.stock} units are left. Send "even_with_stock": true to switch it off.',
            members={"stock": product.stock},
        )


def _lock_product(product_id: UUID, if_versions: Collection[int] | None) -> Product:
    """Return the product, locked, if it is at a version that the caller knows.

    Raises:
        NotFound: there is no such product, or it was deleted.
        StaleVersion: its version is not among `if_versions`.
    """
    rows = Product.objects.filter(pk=product_id, deleted_at__isnull=True)
    product = rows.select_for_update(of=["self"]).first()
    if product is None:
        raise NotFound
    if if_versions is not None and product.version not in if_versions:
        raise StaleVersion(
            f"It is at version {product.version} now.", members={"version": product.version}
        )
    return product
