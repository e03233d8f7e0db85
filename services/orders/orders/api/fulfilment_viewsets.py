"""What staff do with orders: ship, deliver, take units back. And what the parcels hold."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from orders import selectors
from orders.api.headers import KEY
from orders.api.permissions import FulfilsOrders, PlacesOrReadsOrders
from orders.api.serializers import OrderRead, ReturnWrite, ShipmentRead, ShipWrite
from orders.api.visible import acting_staff, order_body, visible_orders
from orders.models import Order, Shipment
from orders.services.fulfilment import Parcel, deliver_order, return_units, ship_order
from servicekit.auth.authentication import caller_of
from servicekit.http import idempotency
from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin

PRODUCT_EXAMPLE = "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59"
UNITS_EXAMPLE = [{"product": PRODUCT_EXAMPLE, "quantity": 1}]
SHIP_EXAMPLES = [
    OpenApiExample("All that is left", {"carrier": "Royal Mail"}, request_only=True),
    OpenApiExample(
        "A part",
        {"carrier": "DHL", "tracking_number": "JD014600003", "lines": UNITS_EXAMPLE},
        request_only=True,
    ),
]
RETURN_EXAMPLE = OpenApiExample(
    "One lantern", {"reason": "Did not like it.", "lines": UNITS_EXAMPLE}, request_only=True
)


class FulfilmentViewSet(StrictViewSetMixin, GenericViewSet[Order]):
    """Confirmed orders, on their way to their customers and back."""

    permission_classes = (FulfilsOrders,)
    serializer_class = OrderRead
    lookup_url_kwarg = "order_id"
    max_body_bytes = 128 * 1024  # a thousand lines

    def get_queryset(self) -> QuerySet[Any]:
        return visible_orders(self.request)

    @extend_schema(
        operation_id="ship_order",
        parameters=[KEY],
        request=ShipWrite,
        responses=OrderRead,
        examples=SHIP_EXAMPLES,
    )
    @action(detail=True, methods=["post"])
    def ship(self, request: Request, order_id: UUID) -> Response:
        """Ships a parcel of an order; it is shipped when nothing is left."""
        body = self.valid(ShipWrite)
        wanted = _units(body)
        parcel = Parcel(body.get("carrier", ""), body.get("tracking_number", ""))
        return self._once(
            "ship_order",
            lambda: ship_order(
                order_id=order_id, by=acting_staff(request), parcel=parcel, wanted=wanted
            ),
        )

    @extend_schema(operation_id="deliver_order", request=None, responses=OrderRead)
    @action(detail=True, methods=["post"])
    def deliver(self, request: Request, order_id: UUID) -> Response:
        """Notes that a shipped order reached its customer."""
        self.refuse_members()
        self.get_object()
        deliver_order(order_id=order_id, by=acting_staff(request))
        return Response(order_body(self.get_object()))

    @extend_schema(
        operation_id="return_units",
        parameters=[KEY],
        request=ReturnWrite,
        responses=OrderRead,
        examples=[RETURN_EXAMPLE],
    )
    @action(detail=True, methods=["post"], url_path="return", url_name="return")
    def return_units(self, request: Request, order_id: UUID) -> Response:
        """Takes shipped units back, which go on sale again."""
        body = self.valid(ReturnWrite)
        wanted = _units(body)
        return self._once(
            "return_units",
            lambda: return_units(
                order_id=order_id, by=acting_staff(request), reason=body["reason"], wanted=wanted
            ),
        )

    def _once(self, operation: str, move: Callable[[], UUID]) -> Response:
        """Move units and answer with the order as it is; a repeated key moves none.

        What is kept with the key of staff is the order's id alone: a customer's address would stay
        there after the account is deleted.
        """
        caller_id, order_id = caller_of(self.request).id, str(self.kwargs["order_id"])
        keyed = idempotency.from_request(self.request, operation, caller=caller_id, about=order_id)

        def effect() -> dict[str, str]:
            move()
            return {"id": order_id}

        answer = idempotency.perform(keyed, effect, status=200)
        headers = {idempotency.REPLAYED: "true"} if answer.is_replay else None
        return Response(order_body(self.get_object()), answer.status, headers=headers)


class ShipmentViewSet(StrictViewSetMixin, GenericViewSet[Shipment]):
    """The parcels of an order, for its customer and for staff."""

    permission_classes = (PlacesOrReadsOrders,)
    queryset = Shipment.objects.none()
    serializer_class = ShipmentRead
    orderings = (Ordering("id", UUID),)

    def get_queryset(self) -> QuerySet[Any]:
        """Those of an order that the caller may see."""
        order_id = self.kwargs["order_id"]
        if not visible_orders(self.request).filter(pk=order_id).exists():
            raise Http404
        shipments: QuerySet[Any] = selectors.list_shipments(order_id=order_id)
        return shipments.values(*ShipmentRead.columns())

    @extend_schema(operation_id="list_shipments")
    def list(self, request: Request, order_id: UUID) -> Response:
        """The parcels of an order, oldest first."""
        rows = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(ShipmentRead.bodies(selectors.with_shipped_lines(rows)))


def _units(body: dict[str, Any]) -> Counter[UUID] | None:
    """Return the units of each product that a body names; None if it names none."""
    if "lines" not in body:
        return None
    units: Counter[UUID] = Counter()
    for line in body["lines"]:
        units[line["product"]] += line["quantity"]
    return units
