"""The state of a product, as everyone outside knows it."""

from products.events import CategoryState, ProductChanged
from products.models import Category, Product
from servicekit.messaging.outbox import Outgoing


def state_of(product: Product, category: Category | None) -> Outgoing:
    """Return the event of a product's whole state; `category` is the product's, as it is now."""
    event = ProductChanged(
        product_id=product.pk,
        version=product.version,
        slug=product.slug,
        sku=product.sku,
        name=product.name,
        description=product.description,
        translations=product.translations,
        attributes=product.attributes,
        price=product.price,
        compare_at_price=product.compare_at_price,
        currency=product.currency,
        active=product.active,
        category=CategoryState(id=category.pk, slug=category.slug, name=category.name)
        if category
        else None,
    )
    return Outgoing(event, subject=str(product.pk), sequence=product.version)
