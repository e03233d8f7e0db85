"""What is answered to a request that was handed over, once the order is decided or the time over.

`live` asks after it has waited; while `live` is away, the gateway asks `web`, which waits for
nothing.
"""

from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from orders.api.permissions import PlacesOrReadsOrders
from orders.api.placing import outcome, placed_response, purchased_response
from orders.api.visible import order_body, order_response, visible_orders
from orders.models import Order
from servicekit.auth.authentication import caller_of
from servicekit.http.idempotency import OPEN, Answer, IdempotentRequest
from servicekit.http.viewsets import StrictViewSetMixin

READ, PURCHASE = "read_order", "purchase"
PLACE = ("place_order", "check_out")


class OutcomeViewSet(StrictViewSetMixin, GenericViewSet[Order]):
    """The gateway does not route it: it leads here only whom `web` has sent."""

    permission_classes = (PlacesOrReadsOrders,)
    lookup_url_kwarg = "order_id"
    schema = None
    query_parameters: ClassVar = {
        "retrieve": frozenset({"operation", "seconds", "preferred", "is_replay", "key"})
    }

    def get_queryset(self) -> QuerySet[Order]:
        return visible_orders(self.request)

    def retrieve(self, request: Request, order_id: UUID) -> Response:
        """The answer to a read, a placement or a purchase.

        Raises:
            ValidationError: it names none of these.
            OutOfStock: the order was rejected.
            OrderEnded: it was cancelled or expired.
        """
        operation = request.query_params.get("operation")
        if operation == READ:
            return order_response(request, self.get_object())
        if operation in PLACE:
            return placed_response(self._answer(request, operation))
        if operation == PURCHASE:
            return purchased_response(self._answer(request, operation))
        raise ValidationError({"operation": ["There is no such operation."]})

    def _answer(self, request: Request, operation: str) -> Answer:
        body = order_body(self.get_object())
        first = Answer(OPEN, body)
        keyed = self._keyed(request, operation)
        if keyed and "is_replay" in request.query_params:
            first = keyed.first_answer() or first
        preferred = request.query_params.get("preferred", "")
        seconds = int(preferred) if preferred.isdecimal() else None
        return outcome(first, body, keyed, preferred=seconds)

    def _keyed(self, request: Request, operation: str) -> IdempotentRequest | None:
        """Return the key of the answer; `web` has compared what was asked before it handed over."""
        key = request.query_params.get("key")
        return IdempotentRequest(caller_of(request).id, operation, key, b"") if key else None
