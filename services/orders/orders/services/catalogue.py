"""The copy of the catalogue: written by events, or anew from the products service.

The newer version always wins, whichever way it comes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import requests
from django.conf import settings
from django.db import connection

from orders.events import ProductChanged, ProductDeleted
from orders.models import CatalogueProduct

# Both by hand: the ORM's upsert has no condition, and an older version must not win. A batch may
# name a product several times, which ON CONFLICT refuses: its newest version is chosen before.
UPSERT = """
    INSERT INTO catalogue_product
        (product_id, version, slug, sku, name, price, currency, active, deleted, updated_at)
    SELECT DISTINCT ON (product_id)
        product_id, version, slug, sku, name, price, currency, active, false, clock_timestamp()
    FROM unnest(
        %s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::text[],
        %s::bool[]
    ) AS t (product_id, version, slug, sku, name, price, currency, active)
    ORDER BY product_id, version DESC
    ON CONFLICT (product_id) DO UPDATE SET
        version = excluded.version, slug = excluded.slug, sku = excluded.sku,
        name = excluded.name, price = excluded.price, currency = excluded.currency,
        active = excluded.active, updated_at = excluded.updated_at
    WHERE catalogue_product.version < excluded.version
        -- A copy of before SKUs were copied: `rebuild_catalogue` brings them.
        OR (catalogue_product.version = excluded.version AND NOT catalogue_product.deleted
            AND catalogue_product.sku = '' AND excluded.sku <> '')
"""
# A deleted product stays as a tombstone: an older state that comes late must not bring it back.
TOMBSTONE = """
    INSERT INTO catalogue_product
        (product_id, version, slug, name, price, currency, active, deleted, updated_at)
    SELECT product_id, max(version), '', '', 0, '', false, true, clock_timestamp()
    FROM unnest(%s::uuid[], %s::int[]) AS t (product_id, version) GROUP BY product_id
    ON CONFLICT (product_id) DO UPDATE SET
        version = excluded.version, active = false, deleted = true, updated_at = excluded.updated_at
    WHERE catalogue_product.version < excluded.version
"""
COLUMNS = ("product_id", "version", "slug", "sku", "name", "price", "currency", "active")
PAGE_SIZE = 100
TRIES = 6
TIMEOUT_SECONDS = (2, 10)  # to connect, to read


class ProductsUnavailable(RuntimeError):
    """The products service did not answer, `TRIES` times."""


def upsert_products(*, changed: Sequence[ProductChanged]) -> None:
    """Take over the states that are newer than ours."""
    columns = [[getattr(product, name) for product in changed] for name in COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, columns)


def tombstone_products(*, deleted: Sequence[ProductDeleted]) -> None:
    """Mark products as deleted, unless we know a newer state."""
    columns: list[Any] = [
        [product.product_id for product in deleted],
        [product.version for product in deleted],
    ]
    with connection.cursor() as cursor:
        cursor.execute(TOMBSTONE, columns)


def rebuild_catalogue(*, report: Callable[[str], None]) -> int:
    """Read the whole public catalogue, take over what is newer and switch off what is gone.

    Returns how many products were read. It may be stopped and run again, and may run while events
    arrive: both keep the higher version.

    Raises:
        ProductsUnavailable: products did not answer; what was read so far is kept.
    """
    before = dict(CatalogueProduct.objects.filter(active=True).values_list("product_id", "version"))
    seen: set[UUID] = set()
    for page in _pages():
        upsert_products(changed=page)
        seen |= {product.product_id for product in page}
        report(f"{len(seen)} products read")
    unlisted = set(before) - seen
    for product_id in unlisted:
        _look_up(product_id, before[product_id])
    report(f"{len(unlisted)} products that were not listed looked up one by one")
    return len(seen)


def _look_up(product_id: UUID, version: int) -> None:
    """Read a product that we hold as active and the public list does not have.

    Where products does not know it, it is switched off, unless an event has changed it since.
    """
    answer = _get(f"{settings.PRODUCTS_URL}/api/products/{product_id}/", {})
    if answer is not None:
        upsert_products(changed=[_state(answer)])
    else:
        CatalogueProduct.objects.filter(pk=product_id, version=version).update(active=False)


def _pages() -> Iterator[list[ProductChanged]]:
    url: str | None = f"{settings.PRODUCTS_URL}/api/products/"
    parameters: dict[str, Any] = {"page_size": PAGE_SIZE}
    while url:
        answer = _get(url, parameters) or {}
        yield [_state(row) for row in answer.get("results", [])]
        next_link = answer.get("next")
        # The link may name a host that only clients know; its query goes to the address we have.
        query = next_link.partition("?")[2] if next_link else ""
        url = f"{settings.PRODUCTS_URL}/api/products/?{query}" if next_link else None
        parameters = {}


def _state(row: dict[str, Any]) -> ProductChanged:
    return ProductChanged(
        product_id=UUID(row["id"]),
        version=row["version"],
        slug=row["slug"],
        sku=row["sku"],
        name=row["name"],
        price=Decimal(row["price"]),
        currency=row["currency"],
        active=row["active"],
    )


def _get(url: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    """Return the decoded answer, or None for 404.

    Raises:
        ProductsUnavailable: products did not answer, after several attempts with growing pauses.
    """
    session = requests.Session()
    # products is on an inner network: a proxy that the environment names does not know it.
    session.trust_env = False
    for attempt in range(TRIES):
        try:
            answer = session.get(url, params=parameters, timeout=TIMEOUT_SECONDS)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
            body: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            if attempt == TRIES - 1:
                message = f"{settings.PRODUCTS_URL} does not answer: {error}"
                raise ProductsUnavailable(message) from error
            time.sleep(0.5 * 2**attempt)
        else:
            return body
    return None
