"""Every read of the catalogue, shaped by hand: a list of twenty is one query and no model instance."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet

from products.models import Category, Product, StockMovement
from servicekit.collations import BY_LANGUAGE
from servicekit.http.pagination import Order

ORDERS = {
    "-created_at": Order("created_at", datetime, descending=True),
    "created_at": Order("created_at", datetime),
    "price": Order("price", Decimal),
    "-price": Order("price", Decimal, descending=True),
    "name": Order("name", str, collation=BY_LANGUAGE),
    "-name": Order("name", str, descending=True, collation=BY_LANGUAGE),
}
FIELDS = (
    "id",
    "slug",
    "name",
    "description",
    "price",
    "currency",
    "stock",
    "active",
    "version",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What a list asks for; None asks for nothing. `active` None means both, which only staff may ask."""

    active: bool | None = True
    slug: str | None = None
    category: str | None = None
    search: str | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None


def list_products(wanted: ProductFilter) -> QuerySet[Any]:
    """Return rows for `product_body`; deleted products are not among them."""
    rows: QuerySet[Any, Any] = Product.objects.filter(deleted_at__isnull=True)
    exact: dict[str, Any] = {"active": wanted.active, "slug": wanted.slug, "category__slug": wanted.category}
    exact |= {"price__gte": wanted.min_price, "price__lte": wanted.max_price}
    rows = rows.filter(**{name: value for name, value in exact.items() if value is not None})
    if wanted.search:
        rows = rows.filter(name__icontains=wanted.search)
    category = {"of_id": F("category_id"), "of_slug": F("category__slug"), "of_name": F("category__name")}
    return rows.values(*FIELDS, **category)


@contextmanager
def planned_anew(wanted: ProductFilter) -> Iterator[None]:
    """Let a search be planned for its text, each time.

    PostgreSQL may take one plan for any text after some executions; that one reads the whole list in its order where nothing is found.
    """
    if not wanted.search:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        yield


def product_for_id(*, product_id: UUID, is_staff: bool) -> dict[str, Any] | None:
    """Return a product's body, or None; inactive ones are there for staff only."""
    row = list_products(ProductFilter(active=None if is_staff else True)).filter(pk=product_id).first()
    return product_body(row) if row else None


def product_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return a product as the API shows it: money as decimal strings, times RFC 3339 in UTC."""
    category = (
        {"id": str(row["of_id"]), "slug": row["of_slug"], "name": row["of_name"]} if row["of_id"] else None
    )
    return {
        "id": str(row["id"]),
        "slug": row["slug"],
        "name": row["name"],
        "description": row["description"],
        "price": f"{row['price']:.2f}",
        "currency": row["currency"],
        "stock": row["stock"],
        "active": row["active"],
        "category": category,
        "version": row["version"],
        "created_at": _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
    }


def list_movements(*, product_id: UUID) -> QuerySet[Any]:
    """Return a product's ledger as rows."""
    return StockMovement.objects.filter(product_id=product_id).order_by("-id").values()


def movement_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return a ledger row as staff see it."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "quantity": row["quantity"],
        "order": str(row["order_id"]) if row["order_id"] else None,
        "reason": row["reason"],
        "by": str(row["by"]) if row["by"] else None,
        "at": _time(row["at"]),
    }


def list_categories() -> QuerySet[Any]:
    """Return every category as rows."""
    return Category.objects.values("id", "slug", "name", "parent_id")


def category_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return a category as the API shows it."""
    parent = str(row["parent_id"]) if row["parent_id"] else None
    return {"id": str(row["id"]), "slug": row["slug"], "name": row["name"], "parent": parent}


def is_slug(text: str) -> bool:
    """Whether it could be a slug: lower-case ASCII letters, digits and inner dashes."""
    return re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", text) is not None and len(text) <= 100


def _time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
