"""Rows and events for tests."""

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from orders.events import (
    ProductChanged,
    ProductDeleted,
    StockRejected,
    StockReleased,
    StockReserved,
    UserSessionsRevoked,
)
from orders.models import CatalogueProduct, Order
from orders.services.placement import OrderItem, place_order
from servicekit.messaging.delivery import Delivery
from servicekit.testing.deliver import make_delivery

_numbers = count(1)


def make_product(**overrides: Any) -> CatalogueProduct:
    """Return a product as the copy of the catalogue holds it."""
    number = next(_numbers)
    fields = {
        "product_id": uuid7(),
        "version": 1,
        "slug": f"lantern-{number}",
        "sku": f"L-{number}",
        "name": f"Lantern {number}",
        "price": "3.39",
        "currency": "GBP",
        "active": True,
    }
    return CatalogueProduct.objects.create(**{**fields, **overrides})


def make_order(
    lines: Mapping[UUID, int] | None = None, user_id: UUID | None = None, **overrides: Any
) -> Order:
    """Return a pending order placed by the service; `overrides` are written over its columns."""
    quantities = lines or {make_product().product_id: 2}
    items = [OrderItem(product_id, quantity) for product_id, quantity in quantities.items()]
    placed = place_order(user_id=user_id or uuid7(), items=items)
    if overrides:
        Order.objects.filter(pk=placed["id"]).update(**overrides)
    return Order.objects.get(pk=placed["id"])


def reserved(order_id: UUID) -> Delivery:
    return make_delivery(StockReserved.type, {"order_id": str(order_id), "lines": []})


def rejected(order_id: UUID, product_id: UUID, requested: int = 2, available: int = 1) -> Delivery:
    short = {
        "product_id": str(product_id),
        "requested": requested,
        "available": available,
        "reason": "insufficient_stock",
    }
    return make_delivery(StockRejected.type, {"order_id": str(order_id), "shortages": [short]})


def released(order_id: UUID) -> Delivery:
    return make_delivery(StockReleased.type, {"order_id": str(order_id), "lines": []})


def product_changed(product_id: UUID, version: int, **overrides: Any) -> Delivery:
    data = {
        "product_id": str(product_id),
        "version": version,
        "slug": "lantern",
        "sku": "L-1",
        "name": f"Lantern, version {version}",
        "description": "",
        "price": f"{version}.00",
        "currency": "GBP",
        "active": True,
        "category": None,
    }
    return make_delivery(ProductChanged.type, {**data, **overrides})


def product_deleted(product_id: UUID, version: int) -> Delivery:
    return make_delivery(ProductDeleted.type, {"product_id": str(product_id), "version": version})


def sessions_revoked(user_id: UUID, session_id: UUID | None, at: str) -> Delivery:
    data = {
        "user_id": str(user_id),
        "session_id": str(session_id) if session_id else None,
        "revoked_at": at,
    }
    return make_delivery(UserSessionsRevoked.type, data)
