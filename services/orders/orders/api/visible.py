"""The orders that a caller may see, an order as it is shown, and who acts on it."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from orders import selectors
from orders.api.permissions import CancelsEveryOrder, FulfilsOrders, ReadsEveryOrder
from orders.api.serializers import OrderRead
from orders.models import Actor
from orders.services.transitions import By
from servicekit.auth.authentication import caller_of, viewer_of
from servicekit.http import conditional


def visible_orders(request: Request) -> QuerySet[Any]:
    """Return rows of everybody's orders, or of the caller's own."""
    orders: QuerySet[Any] = selectors.list_orders(
        viewer_id=caller_of(request).id, sees_all=_sees_all(request)
    )
    return orders.values(*OrderRead.columns())


def order_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an order, with its lines."""
    return OrderRead.body(selectors.with_lines([row])[0])


def order_response(request: Request, order: dict[str, Any]) -> Response:
    """Return what is answered to who reads an order."""
    body = order_body(order)
    return conditional.answer(request, body, f'"{body["version"]}"')


def acting_staff(request: Request) -> By:
    """Return the member of staff or the machine client who acts on somebody's order."""
    actor = Actor.CLIENT if viewer_of(request).is_machine else Actor.STAFF
    return By(actor, caller_of(request).id)


def is_for_staff(request: Request) -> bool:
    """Whether the caller may see what staff see of orders, such as who of them did it."""
    return _sees_all(request)


def _sees_all(request: Request) -> bool:
    allowed = (ReadsEveryOrder, CancelsEveryOrder, FulfilsOrders)
    return any(permission.allows(request) for permission in allowed)
