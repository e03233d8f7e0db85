"""Placing an order over HTTP, for whichever address: with a key, and waiting for its outcome."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api import handover
from orders.api.serializers import OrderRead
from orders.api.visible import order_body, visible_orders
from orders.api.waiting import preferred_seconds, wait_for_outcome
from orders.errors import OrderEnded, OutOfStock
from orders.models import Status
from orders.services.placement import OrderItem, Terms, place_order
from servicekit.auth.authentication import caller_of
from servicekit.http import idempotency
from servicekit.http.idempotency import Answer, IdempotentRequest


def place(
    request: Request,
    placing: Callable[[], dict[str, Any]],
    keyed: IdempotentRequest | None,
    operation: str,
    *,
    wait: int | None = None,
) -> Answer:
    """Place an order and wait for its outcome; a repeated idempotency key gets the first answer.

    `placing` writes the order and returns its row. It waits as long as the caller prefers,
    else `wait` seconds; with None it answers at once.

    Raises:
        OutOfStock: it was rejected.
        OrderEnded: it was cancelled or expired.
    """
    preferred = preferred_seconds(request.headers.get("Prefer"))
    seconds = wait if preferred is None else preferred
    answer = idempotency.perform(
        keyed,
        lambda: OrderRead.body(placing()),
        # An open answer is kept until the outcome settles it: a repeat waits for that, too.
        status=201 if seconds is None else idempotency.OPEN,
    )
    if answer.status != idempotency.OPEN:
        return outcome(answer, answer.body, keyed, preferred=preferred)
    order_id = UUID(answer.body["id"])
    if seconds and handover.is_offered(request):
        how = {"seconds": seconds, "preferred": preferred, "is_replay": answer.is_replay or None}
        sent = handover.headers(order_id, operation, key=keyed.key if keyed else None, **how)
        return Answer(answer.status, answer.body, sent)
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


def placed_response(answer: Answer) -> Response:
    """Return what is answered to an order."""
    return Response(answer.body, answer.status, headers=answer.headers)


def purchased_response(answer: Answer) -> Response:
    """Return what is answered to a purchase."""
    status, code = ("pending", 202) if answer.status == idempotency.OPEN else ("purchased", 200)
    return Response({"status": status, "order": answer.body}, code, headers=answer.headers)


def place_items(
    request: Request,
    items: Sequence[OrderItem],
    operation: str,
    *,
    terms: Terms,
    about: str = "",
    wait: int | None = None,
) -> Answer:
    """Place an order of these items, with the key that the caller may have sent; see `place`."""
    caller_id = caller_of(request).id
    # Scoped to the caller: a key that somebody else has used tells nothing of it.
    keyed = idempotency.from_request(request, operation, caller=caller_id, about=about)
    return place(
        request,
        lambda: place_order(user_id=caller_id, items=items, terms=terms),
        keyed,
        operation,
        wait=wait,
    )


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
