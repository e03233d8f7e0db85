"""A few views, as a service would write them, to see the kit's HTTP half at work."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import DecimalField, F
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.auth.authentication import caller_of
from servicekit.auth.permissions import IsStaff, IsStaffOrReadOnly
from servicekit.http import idempotency, pagination
from servicekit.http.fields import (
    CleanCharField,
    MoneyField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
)
from servicekit.http.views import StrictView
from servicekit.messaging import outbox
from servicekit.models import OutboxEvent
from tests.project.events import OrderPlaced


class Open(StrictView):
    """Anybody may ask who they are."""

    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"id": request.user.id, "roles": sorted(request.user.roles)})


class Private(Open):
    permission_classes = StrictView.permission_classes


class ForStaff(Open):
    permission_classes = (IsStaff,)


class ForStaffToWrite(Open):
    permission_classes = (IsStaffOrReadOnly,)

    def post(self, request: Request) -> Response:
        return self.get(request)


class LineWrite(StrictSerializer):
    product = serializers.UUIDField()
    quantity = StrictIntegerField(min_value=1, max_value=99)


class BasketWrite(StrictSerializer):
    lines = LineWrite(many=True, allow_empty=False)
    note = CleanCharField(max_length=20, required=False)
    price = MoneyField(required=False)
    gift = StrictBooleanField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # RFC 6901 writes these two characters otherwise; no class body can name such a field.
        return {**super().get_fields(), "a/b~c": StrictIntegerField(required=False)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("note") == "impossible":
            raise serializers.ValidationError("The whole of it is wrong.", "impossible")
        return attrs


class Basket(StrictView):
    permission_classes = ()
    max_body_bytes = 1024 * 1024

    def post(self, request: Request) -> Response:
        return Response(self.valid(BasketWrite))


class Echo(StrictView):
    permission_classes = ()

    def post(self, request: Request) -> Response:
        return Response({"read": request.data})


class Failing(StrictView):
    """Raises what a test wants raised."""

    permission_classes = ()
    fail: ClassVar[Callable[[], object]]

    def get(self, request: Request) -> Response:
        type(self).fail()
        return Response({})


def plain(_request: HttpRequest) -> HttpResponse:
    """A view outside DRF that raises it."""
    Failing.fail()
    return HttpResponse()


ORDERS = {
    "id": pagination.Order("id", UUID, descending=True),
    "created_at": pagination.Order("created_at", datetime),
    "-created_at": pagination.Order("created_at", datetime, descending=True),
    "subject": pagination.Order("subject"),
    "sequence": pagination.Order("sequence", int, descending=True),
    "price": pagination.Order("price", Decimal),
}


class Events(StrictView):
    permission_classes = ()
    query_parameters: ClassVar = {"GET": pagination.PARAMETERS | {"order", "type"}}

    def get(self, request: Request) -> Response:
        order = ORDERS[request.query_params.get("order", "id")]
        price = Cast(F("sequence") / Decimal(4), DecimalField(max_digits=12, decimal_places=2))
        rows = OutboxEvent.objects.annotate(price=price).values(
            "id", "subject", "sequence", "created_at", "price"
        )
        if "type" in request.query_params:
            rows = rows.filter(type=request.query_params["type"])
        return Response(pagination.page_body(*pagination.page(request, rows, order)))


class Place(StrictView):
    """Its effect is one event in the outbox, once for each key."""

    def post(self, request: Request, shelf: str) -> Response:
        keyed = idempotency.from_request(request, "place", caller=caller_of(request).id, about=shelf)
        with transaction.atomic():
            replay = keyed.claim() if keyed else None
            if replay is None:
                replay = self._place(request, keyed)
                headers = replay.headers
            else:
                headers = {**replay.headers, idempotency.REPLAYED: "true"}
        return Response(replay.body, replay.status, headers=headers)

    def _place(self, request: Request, keyed: idempotency.IdempotentRequest | None) -> idempotency.Replay:
        outbox.publish(OrderPlaced(order_id="one"), subject=str(caller_of(request).id), sequence=1)
        if request.data.get("fail"):
            raise ConnectionError("after the effect")
        number = OutboxEvent.objects.count()
        answer = idempotency.Replay(
            201, {"zeta": number, "alpha": 1.10, "é": "ü\u2028"}, {"Location": f"/{number}/"}
        )
        if keyed:
            keyed.store(status=answer.status, body=answer.body, headers=answer.headers)
        return answer
