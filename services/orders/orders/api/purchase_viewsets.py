"""Buying a product in one call: an order of one line."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from orders.api.headers import KEY, PREFER, REFUSALS
from orders.api.placing import place_items, purchased_response
from orders.api.serializers import PurchaseRead, PurchaseWrite
from orders.models import Order
from orders.services.placement import OrderItem, Terms
from servicekit.http.viewsets import StrictViewSetMixin

PURCHASE_WAIT_SECONDS = 2


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
        body = self.valid(PurchaseWrite)
        item = OrderItem(product_id, body.pop("quantity"))
        answer = place_items(
            request,
            [item],
            "purchase",
            terms=Terms(**body),
            about=str(product_id),
            wait=PURCHASE_WAIT_SECONDS,
        )
        return purchased_response(answer)
