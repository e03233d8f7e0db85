"""Products over HTTP: everybody reads, staff write."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from products import selectors
from products.api import hot_reads, serializers
from products.api.headers import IF_MATCH, IF_NONE_MATCH, KEY
from products.api.permissions import CountsStock
from products.api.product_details import detail, versions_to_match
from products.api.product_lists import ProductListMixin
from products.api.wording import LANGUAGE
from products.services.products import create_product, delete_product, edit_product
from products.services.recommendations import popularity
from products.services.stock import adjust_stock
from servicekit.auth.authentication import caller_of, is_staff
from servicekit.http import idempotency
from servicekit.http.parsers import MAX_BODY_BYTES
from servicekit.http.shared_reads import tagged_read

LEDGER_ROWS = 100
#: A description of 10,000 characters, each written as two escapes.
MAX_PRODUCT_BYTES = 128 * 1024
PRODUCT_EXAMPLE = OpenApiExample(
    "A lantern",
    {
        "slug": "white-lantern",
        "name": "White lantern",
        "price": "3.39",
        "currency": "GBP",
        "stock": 25,
    },
    request_only=True,
)


class ProductViewSet(ProductListMixin):
    """Products, and the stock of each."""

    lookup_url_kwarg = "product_id"
    max_body_bytes = MAX_PRODUCT_BYTES

    @extend_schema(
        operation_id="create_product",
        request=serializers.ProductCreate,
        examples=[PRODUCT_EXAMPLE],
        responses={201: serializers.ProductDetail},
    )
    def create(self, request: Request) -> Response:
        """Add a product; its first stock is the first row of its ledger."""
        members = self.valid(serializers.ProductCreate)
        product = create_product(**members, by=caller_of(request).id)
        headers = {"Location": f"{request.path}{product.pk}/"}
        return Response(self._body(product.pk), 201, headers=headers)

    @extend_schema(
        operation_id="read_product",
        parameters=[IF_NONE_MATCH, LANGUAGE],
        responses={200: serializers.ProductDetail, 304: None},
    )
    @tagged_read
    def retrieve(self, request: Request, product_id: UUID) -> Response:
        """One product."""
        return hot_reads.product(self, product_id)

    @extend_schema(
        operation_id="replace_product",
        parameters=[IF_MATCH],
        request=serializers.ProductReplace,
        responses=serializers.ProductDetail,
    )
    def update(self, request: Request, product_id: UUID) -> Response:
        """Give a product these fields and no others; its slug stays unless it is sent."""
        return self._edit(product_id, self.valid(serializers.ProductReplace))

    @extend_schema(
        operation_id="edit_product",
        parameters=[IF_MATCH],
        request=serializers.ProductChange,
        responses=serializers.ProductDetail,
    )
    def partial_update(self, request: Request, product_id: UUID) -> Response:
        """Change fields of a product, but not its stock."""
        return self._edit(product_id, self.valid(serializers.ProductChange, partial=True))

    @extend_schema(operation_id="delete_product", parameters=[IF_MATCH], responses={204: None})
    def destroy(self, request: Request, product_id: UUID) -> Response:
        """Take a product out of the shop for good."""
        self.refuse_members()
        delete_product(product_id=product_id, if_versions=versions_to_match(request))
        return Response(status=204)

    @extend_schema(operation_id="read_stock", responses=serializers.LedgerRead)
    @action(
        detail=True,
        url_path="stock",
        permission_classes=[CountsStock],
        max_body_bytes=MAX_BODY_BYTES,
    )
    def read_stock(self, request: Request, product_id: UUID) -> Response:
        """A product's stock, and the newest rows of its ledger."""
        product = self.get_object()
        movements = selectors.list_movements(product_id=product_id)
        rows = movements.values(*serializers.MovementRead.columns())[:LEDGER_ROWS]
        threshold = selectors.low_stock_threshold(product_id=product_id)
        members = {"stock": product["stock"], "low_stock_threshold": threshold, "results": rows}
        ledger = serializers.LedgerRead(members)
        return Response(ledger.data)

    @extend_schema(
        operation_id="adjust_stock",
        parameters=[KEY],
        request=serializers.StockAdjust,
        responses=serializers.StockRead,
    )
    @read_stock.mapping.post
    def adjust_stock(self, request: Request, product_id: UUID) -> Response:
        """Add units to the stock, or remove them."""
        members = self.valid(serializers.StockAdjust)
        caller = caller_of(request).id
        keyed = idempotency.from_request(
            request, "adjust_stock", caller=caller, about=str(product_id)
        )

        def adjust() -> Any:
            left = adjust_stock(product_id=product_id, by=caller, **members)
            return serializers.StockRead({"stock": left}).data

        answer = idempotency.perform(keyed, adjust, status=200)
        headers = {idempotency.REPLAYED: "true"} if answer.is_replay else {}
        return Response(answer.body, answer.status, headers=headers)

    def _edit(self, product_id: UUID, members: dict[str, Any]) -> Response:
        edit_product(
            product_id=product_id,
            even_with_stock=members.pop("even_with_stock", False),
            changes=members,
            if_versions=versions_to_match(self.request),
        )
        return Response(self._body(product_id))

    def _body(self, product_id: UUID) -> Any:
        return detail(get_object_or_404(self.get_queryset(), pk=product_id))

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Count the view of a product, also where its page was kept or the client has it."""
        is_seen = self.action == "retrieve" and response.status_code in (200, 304)
        if is_seen and not is_staff(request):
            popularity.views.note(kwargs["product_id"])
        return super().finalize_response(request, response, *args, **kwargs)
