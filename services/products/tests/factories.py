"""Rows and events for tests."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone
from uuid_utils.compat import uuid7

from products.events import OrderCancelled, OrderConfirmed, OrderPlaced
from products.models import Product
from products.services.products import create_product
from servicekit.messaging.delivery import Delivery
from servicekit.testing.deliver import make_delivery

_numbers = count(1)


def make_product(**overrides: Any) -> Product:
    number = next(_numbers)
    fields = {
        "slug": f"lantern-{number}",
        "name": f"Lantern {number}",
        "price": Decimal("3.39"),
        "currency": "GBP",
        "stock": 10,
    }
    return create_product(**{**fields, **overrides})


def placed(
    lines: Mapping[UUID, int] | list[tuple[UUID, int]],
    order_id: UUID | None = None,
    deadline: datetime | None = None,
    name: str = "Lantern",
) -> Delivery:
    """Return an OrderPlaced message; `lines` maps products to quantities, or lists the lines."""
    pairs = lines.items() if isinstance(lines, Mapping) else lines
    data = {
        "order_id": str(order_id or uuid7()),
        "lines": [
            {
                "product_id": str(product_id),
                "quantity": quantity,
                "unit_price": "3.39",
                "name": name,
            }
            for product_id, quantity in pairs
        ],
        "deadline": (deadline or timezone.now() + timedelta(minutes=15)).isoformat(),
    }
    return make_delivery(OrderPlaced.type, data)


def cancelled(order_id: UUID) -> Delivery:
    return make_delivery(OrderCancelled.type, {"order_id": str(order_id)})


def confirmed(
    product_ids: Mapping[UUID, int], user_id: UUID, order_id: UUID | None = None
) -> Delivery:
    """Return an OrderConfirmed message of a customer's order of these quantities."""
    lines = [{"product_id": str(key), "quantity": units} for key, units in product_ids.items()]
    data = {
        "order_id": str(order_id or uuid7()),
        "user_id": str(user_id),
        "lines": lines,
        "total": "3.39",
        "currency": "GBP",
    }
    return make_delivery(OrderConfirmed.type, data)
