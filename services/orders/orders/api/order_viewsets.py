"""Orders over HTTP: parse, call, answer."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from orders import selectors
from orders.api import handover
from orders.api.filters import OrderFilterSet
from orders.api.headers import IF_NONE_MATCH, KEY, PAGE_SIZE, PREFER, REFUSALS, WAIT
from orders.api.permissions import CancelsEveryOrder, CancelsOrders, PlacesOrReadsOrders
from orders.api.placing import place_items, placed_response
from orders.api.serializers import (
    CancelWrite,
    HistoryRead,
    HistoryRow,
    OrderRead,
    OrderWrite,
    StaffCancelWrite,
)
from orders.api.visible import (
    acting_staff,
    is_for_staff,
    order_body,
    order_response,
    visible_orders,
)
from orders.api.waiting import asked_seconds, wait_for_outcome
from orders.models import Actor, Order, Status
from orders.services.placement import OrderItem, Terms
from orders.services.settlement import cancel_order
from orders.services.transitions import BY_CUSTOMER
from servicekit.auth.authentication import caller_of
from servicekit.http.pagination import Ordering
from servicekit.http.parsers import MAX_BODY_BYTES
from servicekit.http.viewsets import StrictViewSetMixin

PRODUCT_EXAMPLE = "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59"
LINES_EXAMPLE = [{"product": PRODUCT_EXAMPLE, "quantity": 2}]
ADDRESS_EXAMPLE = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "postcode": "SW1Y 4JH",
    "city": "London",
    "country": "GB",
}
PLACE_EXAMPLES = [
    OpenApiExample("Two lanterns", {"lines": LINES_EXAMPLE}, request_only=True),
    OpenApiExample(
        "Two lanterns, to an address and at a price",
        {
            "lines": LINES_EXAMPLE,
            "shipping_address": ADDRESS_EXAMPLE,
            "note": "Please ring twice.",
            "expected_total": "6.78",
        },
        request_only=True,
    ),
]
CANCEL_EXAMPLE = OpenApiExample("By staff", {"reason": "Sold out."}, request_only=True)


class OrderViewSet(StrictViewSetMixin, GenericViewSet[Order]):
    """Orders: customers meet their own, and to them no other exists; staff who read orders meet
    everybody's.
    """

    permission_classes = (PlacesOrReadsOrders,)
    serializer_class = OrderRead
    filterset_class = OrderFilterSet
    orderings = (Ordering("id", UUID, descending=True), Ordering("id", UUID))
    lookup_url_kwarg = "order_id"
    max_body_bytes = 128 * 1024  # a thousand lines
    query_parameters: ClassVar = {"retrieve": frozenset({"wait"})}

    def get_queryset(self) -> QuerySet[Any]:
        return visible_orders(self.request)

    @extend_schema(operation_id="list_orders", parameters=[PAGE_SIZE])
    def list(self, request: Request) -> Response:
        """The caller's orders, newest first; staff see everybody's."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        orders = selectors.with_lines(rows or [])
        return self.get_paginated_response(OrderRead.bodies(orders))

    @extend_schema(
        operation_id="place_order",
        parameters=[PREFER, KEY],
        request=OrderWrite,
        responses={201: OrderRead, 202: OrderRead, **REFUSALS},
        examples=PLACE_EXAMPLES,
    )
    def create(self, request: Request) -> Response:
        """Place an order, at the catalogue's prices."""
        body = self.valid(OrderWrite)
        items = [OrderItem(line["product"], line["quantity"]) for line in body.pop("lines")]
        answer = place_items(request, items, "place_order", terms=Terms(**body))
        return placed_response(answer)

    @extend_schema(
        operation_id="read_order",
        parameters=[IF_NONE_MATCH, WAIT],
        responses={200: OrderRead, 304: None},
    )
    def retrieve(self, request: Request, order_id: UUID) -> Response:
        """One order; somebody else's does not exist."""
        order, seconds = self.get_object(), asked_seconds(request)
        answer = order_response(request, order)
        if not seconds or order["status"] != Status.PENDING:
            return answer
        if handover.is_offered(request):
            sent = handover.headers(order["id"], "read_order", seconds=seconds)
            return Response(answer.data, headers=sent)
        wait_for_outcome(order["id"], seconds)
        return order_response(request, self.get_object())

    @extend_schema(
        operation_id="cancel_order",
        request=CancelWrite,
        responses=OrderRead,
        examples=[CANCEL_EXAMPLE],
    )
    @action(
        detail=True,
        methods=["post"],
        max_body_bytes=MAX_BODY_BYTES,
        permission_classes=[CancelsOrders],
    )
    def cancel(self, request: Request, order_id: UUID) -> Response:
        """Takes an order back; staff say why."""
        reason = self.valid(CancelWrite).get("reason", "")
        # Somebody else's order is a 404 here: a stranger must not learn that it exists.
        is_own = self.get_object()["user_id"] == caller_of(request).id
        if not is_own:
            # It raises, and the refusal names the role that would do.
            CancelsEveryOrder().has_permission(request, self)
            self.valid(StaffCancelWrite)
        by = BY_CUSTOMER if is_own else acting_staff(request)
        cancel_order(order_id=order_id, by=by, reason=reason)
        # Read again: the stock may have decided the order meanwhile.
        return Response(order_body(self.get_object()))

    @extend_schema(operation_id="read_order_history", responses=HistoryRead)
    @action(detail=True)
    def history(self, request: Request, order_id: UUID) -> Response:
        """Every state an order has had."""
        order = self.get_object()
        rows = selectors.list_history(order_id=order["id"]).values(*HistoryRow.columns())
        steps = [row if is_for_staff(request) else _without_staff(row) for row in rows]
        return Response(HistoryRead({"results": steps}).data)


def _without_staff(step: dict[str, Any]) -> dict[str, Any]:
    """Customers read that it was staff, and not who."""
    return step if step["actor"] == Actor.CUSTOMER else {**step, "actor_id": None}
