"""A few views, as a service would write them, to see the kit's HTTP half at work."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import DecimalField, F, QuerySet
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.auth.permissions import (
    HasRole,
    HasRoleOrReadOnly,
    IsAuthenticatedOrReadOnly,
    IsPersonOrHasScope,
    IsStaff,
)
from servicekit.http import filters, idempotency
from servicekit.http.fields import (
    AmountField,
    CleanCharField,
    MoneyField,
    StrictBooleanField,
    StrictIntegerField,
)
from servicekit.http.pagination import Ordering
from servicekit.http.problems import InvalidInput
from servicekit.http.serializers import RowSerializer, StrictSerializer
from servicekit.http.viewsets import StrictAPIView, StrictViewSetMixin
from servicekit.messaging import outbox
from servicekit.models import OutboxEvent
from tests.project.events import OrderPlaced


class Open(StrictAPIView):
    """Anybody may ask who they are."""

    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"id": request.user.id, "roles": sorted(request.user.roles)})


class Private(Open):
    permission_classes = StrictAPIView.permission_classes


class ForStaff(Open):
    permission_classes = (IsStaff,)


class WritesAtTheDesk(HasRoleOrReadOnly):
    roles = frozenset({"desk"})
    scopes = frozenset({"desk:write"})


class ForStaffToWrite(Open):
    permission_classes: Any = (WritesAtTheDesk,)

    def post(self, request: Request) -> Response:
        return self.get(request)


class WorksAtTheDesk(HasRole):
    roles = frozenset({"desk", "till"})
    scopes = frozenset({"desk:write"})
    read_scopes = frozenset({"desk:read"})


class Desk(ForStaffToWrite):
    permission_classes = (WorksAtTheDesk,)


class HasAnAccountOrReads(IsPersonOrHasScope):
    scopes = frozenset({"desk:read"})


class Counter(ForStaffToWrite):
    permission_classes = (HasAnAccountOrReads,)


class GuestBook(ForStaffToWrite):
    permission_classes = (IsAuthenticatedOrReadOnly,)


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


class Basket(StrictAPIView):
    permission_classes = ()
    max_body_bytes = 1024 * 1024

    def post(self, request: Request) -> Response:
        return Response(self.valid(BasketWrite))


class Echo(StrictAPIView):
    permission_classes = ()

    def post(self, request: Request) -> Response:
        return Response({"read": request.data})


class Failing(StrictAPIView):
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


def _price() -> Cast:
    return Cast(F("sequence") / Decimal(4), DecimalField(max_digits=12, decimal_places=2))


class EventRead(RowSerializer):
    id = serializers.UUIDField()
    subject = serializers.CharField()
    sequence = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    price = AmountField()


class EventFilterSet(filters.StrictFilterSet):
    type = filters.TextFilter(max_length=30, help_text="Exactly this type.")
    min_price = filters.MoneyFilter(field_name="price", lookup_expr="gte")
    max_price = filters.MoneyFilter(field_name="price", lookup_expr="lte")
    sequence = filters.ChoiceFilter(choices=[("1", "one"), ("2", "two")])
    event = filters.IdFilter(field_name="id")
    parked = filters.FlagFilter(
        field_name="parked_at", lookup_expr="isnull", exclude=True, only_for=IsStaff
    )

    def check(self, values: Mapping[str, Any]) -> None:
        if {"min_price", "max_price"} <= values.keys() and values["min_price"] > values[
            "max_price"
        ]:
            raise InvalidInput("min_price is above max_price.")


class EventViewSet(
    StrictViewSetMixin, ListModelMixin, RetrieveModelMixin, GenericViewSet[OutboxEvent]
):
    permission_classes = ()
    lookup_field = "id"
    serializer_class = EventRead
    filterset_class = EventFilterSet
    query_parameters: ClassVar = {"retrieve": frozenset({"verbose"})}
    list_actions: ClassVar = frozenset({"list", "short"})
    orderings = (
        Ordering("id", UUID, descending=True),
        Ordering("created_at", datetime),
        Ordering("created_at", datetime, descending=True),
        Ordering("subject"),
        Ordering("sequence", int, descending=True),
        Ordering("price", Decimal),
    )

    def get_queryset(self) -> QuerySet[Any]:
        return OutboxEvent.objects.annotate(price=_price()).values(*EventRead.columns())

    @action(detail=False)
    def short(self, _request: Request) -> Response:
        """A page that is cut short: as many rows as have sequences that sum up to less than ten."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        sums = accumulate(row["sequence"] for row in rows)
        count = sum(1 for total in sums if total < 10)
        return self.get_paginated_response(EventRead(rows[:count], many=True).data)

    @action(detail=True, methods=["post"])
    def touch(self, request: Request, id: UUID) -> Response:
        return Response({"touched": self.get_object()["id"]})


class Place(StrictAPIView):
    """Its effect is one event in the outbox, once for each key."""

    def post(self, request: Request, shelf: str) -> Response:
        keyed = idempotency.from_request(
            request, "place", caller=caller_of(request).id, about=shelf
        )
        with transaction.atomic():
            replay = keyed.claim() if keyed else None
            if replay is None:
                replay = self._place(request, keyed)
                headers = replay.headers
            else:
                headers = {**replay.headers, idempotency.REPLAYED: "true"}
        return Response(replay.body, replay.status, headers=headers)

    def _place(
        self, request: Request, keyed: idempotency.IdempotentRequest | None
    ) -> idempotency.Answer:
        outbox.publish(OrderPlaced(order_id="one"), subject=str(caller_of(request).id), sequence=1)
        if request.data.get("fail"):
            raise ConnectionError("after the effect")
        number = OutboxEvent.objects.count()
        answer = idempotency.Answer(
            201, {"zeta": number, "alpha": 1.10, "é": "ü\u2028"}, {"Location": f"/{number}/"}
        )
        if keyed:
            keyed.store(status=answer.status, body=answer.body, headers=answer.headers)
        return answer
