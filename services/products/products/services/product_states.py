"""The state of a product, as everyone outside knows it."""

from products.events import CategoryState, ProductChanged
from products.models import Category, Product
from servicekit.messaging.outbox import Outgoing

#: The columns of a state, and the data of its event as SQL, for many at once: of `changed`, which
#: has the columns, and `category`. A test compares it with `state_of`.
STATE_COLUMNS = (
    "id",
    "version",
    "slug",
    "sku",
    "name",
    "description",
    "translations",
    "attributes",
    "price",
    "compare_at_price",
    "currency",
    "active",
    "category_id",
)
STATE = """json_build_object(
    'product_id', changed.id, 'version', version, 'slug', changed.slug, 'sku', sku,
    'name', changed.name, 'description', description, 'translations', changed.translations,
    'attributes', attributes, 'price', price::text, 'compare_at_price', compare_at_price::text,
    'currency', currency, 'active', active,
    'category', CASE WHEN category.id IS NOT NULL THEN json_build_object(
        'id', category.id, 'slug', category.slug, 'name', category.name) END
)"""


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
