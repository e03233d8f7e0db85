"""The ledger of a product's stock over HTTP, for staff: read only, since it only grows."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import selectors
from products.api.filters import MovementFilterSet
from products.api.permissions import CountsStock
from products.api.serializers import MovementRead
from products.models import StockMovement
from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin


class MovementViewSet(StrictViewSetMixin, ListModelMixin, GenericViewSet[StockMovement]):
    """Every change of a product's stock."""

    permission_classes = [CountsStock]
    queryset = StockMovement.objects.none()
    serializer_class = MovementRead
    filterset_class = MovementFilterSet
    orderings = (Ordering("id", int, descending=True),)

    def get_queryset(self) -> QuerySet[Any]:
        """Those of this product, if it was not deleted."""
        product_id = self.kwargs["product_id"]
        if not selectors.is_visible(product_id=product_id, is_staff=True):
            raise Http404
        movements: QuerySet[Any] = selectors.list_movements(product_id=product_id)
        return movements.values(*MovementRead.columns())

    @extend_schema(operation_id="list_movements")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The whole ledger of a product's stock in pages, newest first."""
        return super().list(request, *args, **kwargs)
