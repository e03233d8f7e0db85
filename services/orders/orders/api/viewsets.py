"""Orders over HTTP: parse, call, answer."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from orders import selectors
from orders.api import handover
from orders.api.filters import OrderFilterSet
from orders.api.permissions import (
    CancelsEveryOrder,
    CancelsOrders,
    PlacesOrReadsOrders,
    ReadsEveryOrder,
)
from orders.api.serializers import (
    HistoryRead,
    HistoryRow,
    OrderRead,
    OrderWrite,
    OutOfStockRead,
    PurchaseRead,
    PurchaseWrite,
)
from orders.api.waiting import asked_seconds, preferred_seconds, wait_for_outcome
from orders.errors import OrderEnded, OutOfStock
from orders.models import Order, Status
from orders.services.placement import OrderItem, place_order
from orders.services.settlement import cancel_order
from servicekit.auth.authentication import caller_of
from servicekit.http import conditional, idempotency
from servicekit.http.idempotency import Answer, IdempotentRequest
from servicekit.http.pagination import Ordering
from servicekit.http.parsers import MAX_BODY_BYTES
from servicekit.http.problems import CONTENT_TYPE as PROBLEM
from servicekit.http.viewsets import StrictViewSetMixin

PURCHASE_WAIT_SECONDS = 2
PRODUCT_EXAMPLE = "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59"
PLACE_EXAMPLE = OpenApiExample(
    "Two lanterns", {"lines": [{"product": PRODUCT_EXAMPLE, "quantity": 2}]}, request_only=True
)


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, location=OpenApiParameter.HEADER, description=description
    )


PREFER = _header(
    "Prefer", "`wait=N` answers with the outcome, after at most N (≤ 10) seconds (RFC 7240)."
)
WAIT = OpenApiParameter(
    "wait",
    OpenApiTypes.INT,
    description="Answer when a pending order is decided, after at most so many (≤ 10) seconds.",
)
IF_NONE_MATCH = _header("If-None-Match", "The ETag of what you have: 304 while it is so.")
KEY = _header(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters; the same key again gets the first answer for 7 days.",
)
PAGE_SIZE = OpenApiParameter(
    "page_size",
    OpenApiTypes.INT,
    description="1 to 100; a page of long orders holds fewer, and `next` goes on.",
)
REFUSALS = {(409, PROBLEM): OutOfStockRead}


class OrderViewSet(StrictViewSetMixin, GenericViewSet[Order]):
    """Orders: customers meet their own, and to them no other exists; staff who read orders meet
    everybody's.
    """

    permission_classes = (PlacesOrReadsOrders,)
    serializer_class = OrderRead
    filterset_class = OrderFilterSet
    orderings = (Ordering("id", UUID, descending=True),)
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
        examples=[PLACE_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Place an order, at the catalogue's prices."""
        lines = self.valid(OrderWrite)["lines"]
        items = [OrderItem(line["product"], line["quantity"]) for line in lines]
        return placed_response(_place(request, items, "place_order"))

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

    @extend_schema(operation_id="cancel_order", request=None, responses=OrderRead)
    @action(
        detail=True,
        methods=["post"],
        max_body_bytes=MAX_BODY_BYTES,
        permission_classes=[CancelsOrders],
    )
    def cancel(self, request: Request, order_id: UUID) -> Response:
        """Takes an order back."""
        self.refuse_members()
        # Somebody else's order is a 404 here: a stranger must not learn that it exists.
        is_own = self.get_object()["user_id"] == caller_of(request).id
        if not is_own:
            # It raises, and the refusal names the role that would do.
            CancelsEveryOrder().has_permission(request, self)
        cancel_order(order_id=order_id, by_staff=not is_own)
        # Read again: the stock may have decided the order meanwhile.
        return Response(order_body(self.get_object()))

    @extend_schema(operation_id="read_order_history", responses=HistoryRead)
    @action(detail=True)
    def history(self, request: Request, order_id: UUID) -> Response:
        """Every state an order has had."""
        order = self.get_object()
        rows = selectors.list_history(order_id=order["id"]).values(*HistoryRow.columns())
        return Response(HistoryRead({"results": rows}).data)


class PurchaseViewSet(StrictViewSetMixin, GenericViewSet[Order]):
    """Buying a product; the gateway sends this address, alone of /api/products/, to orders."""

    lookup_url_kwarg = "product_id"

    @extend_schema(
        operation_id="purchase_product",
        parameters=[PREFER, KEY],
        request=PurchaseWrite,
        responses={200: PurchaseRead, 202: PurchaseRead, **REFUSALS},
    )
    @action(detail=True, methods=["post"])
    def purchase(self, request: Request, product_id: UUID) -> Response:
        """Buy one product, in one line."""
        item = OrderItem(product_id, self.valid(PurchaseWrite)["quantity"])
        about = str(product_id)
        answer = _place(request, [item], "purchase", about=about, wait=PURCHASE_WAIT_SECONDS)
        return purchased_response(answer)


def placed_response(answer: Answer) -> Response:
    """Return what is answered to an order."""
    return Response(answer.body, answer.status, headers=answer.headers)


def purchased_response(answer: Answer) -> Response:
    """Return what is answered to a purchase."""
    status, code = ("pending", 202) if answer.status == idempotency.OPEN else ("purchased", 200)
    return Response({"status": status, "order": answer.body}, code, headers=answer.headers)


def order_response(request: Request, order: dict[str, Any]) -> Response:
    """Return what is answered to who reads an order."""
    body = order_body(order)
    return conditional.answer(request, body, f'"{body["version"]}"')


def _place(
    request: Request,
    items: Sequence[OrderItem],
    operation: str,
    *,
    about: str = "",
    wait: int | None = None,
) -> Answer:
    """Place an order and wait for its outcome; a repeated idempotency key gets the first answer.

    It waits as long as the caller prefers, else `wait` seconds; with None it answers at once.

    Raises:
        OutOfStock: it was rejected.
        OrderEnded: it was cancelled or expired.
    """
    caller_id = caller_of(request).id
    preferred = preferred_seconds(request.headers.get("Prefer"))
    seconds = wait if preferred is None else preferred
    # Scoped to the caller: a key that somebody else has used tells nothing of it.
    keyed = idempotency.from_request(request, operation, caller=caller_id, about=about)
    answer = idempotency.perform(
        keyed,
        lambda: OrderRead.body(place_order(user_id=caller_id, items=items)),
        # An open answer is kept until the outcome settles it: a repeat waits for that, too.
        status=201 if seconds is None else idempotency.OPEN,
    )
    if answer.status != idempotency.OPEN:
        return outcome(answer, answer.body, keyed, preferred=preferred)
    order_id = UUID(answer.body["id"])
    if seconds and handover.is_offered(request):
        how = {"seconds": seconds, "preferred": preferred, "is_replay": answer.is_replay or None}
        return Answer(answer.status, answer.body, handover.headers(order_id, operation, **how))
    # Outside of every transaction: whoever waits holds no lock.
    wait_for_outcome(order_id, seconds or 0)
    order = get_object_or_404(visible_orders(request), pk=order_id)
    return outcome(answer, order_body(order), keyed, preferred=preferred)


def outcome(
    first: Answer, body: Any, keyed: IdempotentRequest | None, *, preferred: int | None
) -> Answer:
    """Return what is answered to a placement whose first answer was `first`; `body` is the order as
    it is now.

    Raises:
        OutOfStock: it was rejected.
        OrderEnded: it was cancelled or expired.
    """
    headers = _headers(first, preferred)
    answer = _settled(first, body, keyed) if first.status == idempotency.OPEN else first
    _refuse_ended(answer.body, headers)
    return Answer(answer.status, answer.body, headers)


def _headers(answer: Answer, preferred: int | None) -> dict[str, str]:
    headers = {"Location": f"/api/orders/{answer.body['id']}/"}
    if answer.is_replay:
        headers[idempotency.REPLAYED] = "true"
    elif preferred is not None:
        headers["Preference-Applied"] = f"wait={preferred}"
    return headers


def _settled(first: Answer, body: Any, keyed: IdempotentRequest | None) -> Answer:
    """Keep the outcome as the answer; return `first` again while there is none.

    To a repeat, a cancel is no outcome: it was another request, with an answer of its own.
    """
    is_cancelled = body["status"] == Status.CANCELLED
    if body["status"] == Status.PENDING or (first.is_replay and is_cancelled):
        return first
    return keyed.settle(status=201, body=body) if keyed else Answer(201, body)


def _refuse_ended(order: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    if order["status"] == Status.REJECTED:
        detail = "Not enough is left; shortages says of what."
        members = {"shortages": order["shortages"], "order": order}
        raise OutOfStock(detail, members=members, headers=headers)
    if order["status"] in {Status.CANCELLED, Status.EXPIRED}:
        detail = f"The order is {order['status']}."
        raise OrderEnded(detail, members={"order": order}, headers=headers)


def _sees_all(request: Request) -> bool:
    return ReadsEveryOrder.allows(request) or CancelsEveryOrder.allows(request)


def visible_orders(request: Request) -> QuerySet[Any]:
    """Return the orders that the caller may see, with the columns of an answer."""
    orders: QuerySet[Any] = selectors.list_orders(
        viewer_id=caller_of(request).id, sees_all=_sees_all(request)
    )
    return orders.values(*OrderRead.columns())


def order_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return the order as clients get it."""
    return OrderRead.body(selectors.with_lines([row])[0])
