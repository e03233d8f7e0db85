"""Orders over HTTP: parse, call, answer."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orders import selectors, services
from orders.api import serializers
from orders.api.waiting import preferred_seconds, wait_for_outcome
from orders.errors import NotSettledAsWished, OutOfStock
from orders.models import Status
from orders.services import WishedLine
from servicekit.auth.authentication import caller_of, is_staff
from servicekit.http import conditional, idempotency, pagination
from servicekit.http.idempotency import IdempotentRequest, Replay
from servicekit.http.identifiers import parse_id
from servicekit.http.problems import CONTENT_TYPE as PROBLEM
from servicekit.http.problems import InvalidInput
from servicekit.http.views import StrictView

PURCHASE_WAIT_SECONDS = 2
PRODUCT_EXAMPLE = "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59"
PLACE_EXAMPLE = OpenApiExample(
    "Two lanterns", {"lines": [{"product": PRODUCT_EXAMPLE, "quantity": 2}]}, request_only=True
)
NEWEST = pagination.Order("id", UUID, descending=True)


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, location=OpenApiParameter.HEADER, description=description)


PREFER = _header("Prefer", "`wait=N` answers with the outcome, after at most N (≤ 10) seconds (RFC 7240).")
IF_NONE_MATCH = _header("If-None-Match", "The ETag of what you have: 304 while it is so.")
KEY = _header(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters; the same key again gets the first answer for 7 days.",
)


class Orders(StrictView):
    """The caller's orders, and a new one."""

    query_parameters: ClassVar = {"GET": pagination.PARAMETERS | {"status", "user"}}
    max_body_bytes = 128 * 1024  # a thousand lines

    @extend_schema(
        operation_id="list_orders",
        parameters=[
            OpenApiParameter("cursor", OpenApiTypes.STR, description="From `next`."),
            OpenApiParameter(
                "page_size",
                OpenApiTypes.INT,
                description="1 to 100; a page of long orders holds fewer, and `next` goes on.",
            ),
            OpenApiParameter("status", OpenApiTypes.STR, enum=Status.values),
            OpenApiParameter("user", OpenApiTypes.UUID, description="Staff only."),
        ],
        responses=serializers.OrderPage,
    )
    def get(self, request: Request) -> Response:
        rows = selectors.list_orders(
            viewer_id=caller_of(request).id,
            is_staff=is_staff(request),
            status=_status(request),
            user_id=_user(request),
        )
        found, following = pagination.page(request, rows, NEWEST)
        bodies = selectors.bodies(found)
        if len(bodies) < len(found):
            following = pagination.link_after(request, NEWEST, found[len(bodies) - 1])
        return Response(pagination.page_body(bodies, following))

    @extend_schema(
        operation_id="place_order",
        parameters=[PREFER, KEY],
        request=serializers.OrderWrite,
        responses={
            201: serializers.OrderRead,
            202: serializers.OrderRead,
            (409, PROBLEM): serializers.OutOfStockRead,
        },
        examples=[PLACE_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        members = self.valid(serializers.OrderWrite)
        lines = [WishedLine(line["product"], line["quantity"]) for line in members["lines"]]
        answer = _place(request, lines, "place_order")
        return Response(answer.body, answer.status, headers=answer.headers)


class OneOrder(StrictView):
    """One order; somebody else's does not exist."""

    @extend_schema(
        operation_id="read_order",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.OrderRead, 304: None},
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        body = _readable(request, order_id)
        return conditional.answer(request, body, f'"{body["version"]}"')


class Cancel(StrictView):
    """Takes an order back."""

    @extend_schema(operation_id="cancel_order", request=None, responses=serializers.OrderRead)
    def post(self, request: Request, order_id: UUID) -> Response:
        self.refuse_members()
        body = _readable(request, order_id)
        services.cancel_order(order_id=order_id, by_staff=body["user"] != str(caller_of(request).id))
        return Response(_readable(request, order_id))


class History(StrictView):
    """Every state an order has had."""

    @extend_schema(operation_id="read_order_history", responses=serializers.HistoryRead)
    def get(self, request: Request, order_id: UUID) -> Response:
        _readable(request, order_id)
        return Response({"results": selectors.list_history(order_id=order_id)})


class Purchase(StrictView):
    """Buy one product, in one line."""

    @extend_schema(
        operation_id="purchase_product",
        parameters=[PREFER, KEY],
        request=serializers.PurchaseWrite,
        responses={
            200: serializers.PurchaseRead,
            202: serializers.PurchaseRead,
            (409, PROBLEM): serializers.OutOfStockRead,
        },
    )
    def post(self, request: Request, product_id: UUID) -> Response:
        quantity = self.valid(serializers.PurchaseWrite)["quantity"]
        line = WishedLine(product_id, quantity)
        answer = _place(request, [line], "purchase", about=str(product_id), wait=PURCHASE_WAIT_SECONDS)
        if answer.status == idempotency.OPEN:
            return Response({"status": "pending", "order": answer.body}, 202, headers=answer.headers)
        return Response({"status": "purchased", "order": answer.body}, 200, headers=answer.headers)


def _place(
    request: Request,
    lines: Sequence[WishedLine],
    operation: str,
    *,
    about: str = "",
    wait: int | None = None,
) -> Replay:
    """Place the order and wait for its outcome, as long as the caller prefers, or `wait` seconds; a repeat gets the first answer.

    Raises:
        OutOfStock: it was rejected.
        NotSettledAsWished: it was cancelled or expired.
    """
    asked = preferred_seconds(request.headers.get("Prefer"))
    seconds = wait if asked is None else asked
    keyed = idempotency.from_request(request, operation, caller=caller_of(request).id, about=about)
    placed = services.place_order(
        user_id=caller_of(request).id, lines=lines, idempotent=keyed, is_awaited=seconds is not None
    )
    if isinstance(placed, Replay):
        answer, headers = placed, {idempotency.REPLAYED: "true"}
    else:
        answer = Replay(201 if seconds is None else idempotency.OPEN, placed)
        headers = {} if asked is None else {"Preference-Applied": f"wait={asked}"}
    if answer.status == idempotency.OPEN:
        answer = _outcome(request, answer, seconds or 0, keyed, is_repeat=isinstance(placed, Replay))
    _refuse_ended(answer.body, headers)
    headers["Location"] = f"/api/orders/{answer.body['id']}/"
    return Replay(answer.status, answer.body, headers)


def _outcome(
    request: Request, answer: Replay, seconds: int, keyed: IdempotentRequest | None, *, is_repeat: bool
) -> Replay:
    """Wait for the decision and keep it as the answer; the open answer again while there is none.

    To a repeat a cancel is none: it was another request, with an answer of its own.
    """
    order_id = UUID(answer.body["id"])
    wait_for_outcome(order_id, seconds)
    body = _readable(request, order_id)
    if body["status"] == Status.PENDING or (is_repeat and body["status"] == Status.CANCELLED):
        return answer
    return keyed.settle(status=201, body=body) if keyed else Replay(201, body)


def _refuse_ended(order: dict[str, Any], headers: dict[str, str]) -> None:
    if order["status"] == Status.REJECTED:
        members = {"shortages": order["shortages"], "order": order}
        raise OutOfStock("Not enough is left; shortages says of what.", members=members, headers=headers)
    if order["status"] in {Status.CANCELLED, Status.EXPIRED}:
        raise NotSettledAsWished(
            f"The order is {order['status']}.", members={"order": order}, headers=headers
        )


def _readable(request: Request, order_id: UUID) -> dict[str, Any]:
    body = selectors.order_for_id(
        order_id=order_id, viewer_id=caller_of(request).id, is_staff=is_staff(request)
    )
    if body is None:
        raise Http404
    return body


def _status(request: Request) -> str:
    status = request.query_params.get("status", "")
    if status and status not in Status.values:
        raise InvalidInput(f"status is one of {', '.join(Status.values)}.")
    return str(status)


def _user(request: Request) -> UUID | None:
    text = request.query_params.get("user")
    if text is None:
        return None
    if not is_staff(request):
        raise InvalidInput("user is for staff.")
    try:
        return parse_id(text)
    except ValueError as error:
        raise InvalidInput("user is an id.") from error
