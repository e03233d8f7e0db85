"""The orders that a caller may see, and an order as it is shown."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from orders import selectors
from orders.api.permissions import CancelsEveryOrder, ReadsEveryOrder
from orders.api.serializers import OrderRead
from servicekit.auth.authentication import caller_of


def visible_orders(request: Request) -> QuerySet[Any]:
    """Return rows of everybody's orders, or of the caller's own."""
    orders: QuerySet[Any] = selectors.list_orders(
        viewer_id=caller_of(request).id, sees_all=_sees_all(request)
    )
    return orders.values(*OrderRead.columns())


def order_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an order, with its lines."""
    return OrderRead.body(selectors.with_lines([row])[0])


def _sees_all(request: Request) -> bool:
    return ReadsEveryOrder.allows(request) or CancelsEveryOrder.allows(request)
