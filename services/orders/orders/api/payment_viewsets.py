"""How an order is paid, for its customer and for staff."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from orders import selectors
from orders.api.permissions import PlacesOrReadsOrders
from orders.api.visible import visible_orders
from orders.models import Order, Payment
from servicekit.http.fields import AmountField
from servicekit.http.serializers import RowSerializer
from servicekit.http.viewsets import StrictViewSetMixin


class PaymentRead(RowSerializer):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=Payment.State.values)
    amount = AmountField()
    currency = serializers.CharField()
    refunded_amount = AmountField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PaymentViewSet(StrictViewSetMixin, GenericViewSet[Order]):
    """The payment of an order; an order of before, or of a shop without a provider, has none."""

    permission_classes = (PlacesOrReadsOrders,)
    lookup_url_kwarg = "order_id"

    def get_queryset(self) -> QuerySet[Any]:
        return visible_orders(self.request)

    @extend_schema(operation_id="read_payment", responses=PaymentRead)
    @action(detail=True)
    def payment(self, request: Request, order_id: UUID) -> Response:
        """How the order is paid."""
        self.get_object()
        rows = selectors.list_payments(order_id=order_id).values(*PaymentRead.columns())
        return Response(PaymentRead.body(get_object_or_404(rows)))
