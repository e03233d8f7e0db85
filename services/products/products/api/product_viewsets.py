"""Products over HTTP: everybody reads, staff write."""

import re
import zlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import orjson
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
)
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import search, selectors
from products.api import serializers
from products.api.facet_answers import facets_of
from products.api.facet_serializers import FacetsRead
from products.api.filters import BY_RELEVANCE, ProductFilterSet
from products.api.wording import LANGUAGE, category_in, language_of, product_in, with_highlight
from products.models import BASE_LANGUAGE, Product
from products.services.products import create_product, delete_product, edit_product
from products.services.stock import adjust_stock
from servicekit.auth.authentication import caller_of, is_staff
from servicekit.auth.permissions import IsStaff, IsStaffOrReadOnly
from servicekit.collations import BY_LANGUAGE
from servicekit.http import conditional, idempotency
from servicekit.http.pagination import Ordering
from servicekit.http.parsers import MAX_BODY_BYTES
from servicekit.http.shared_reads import shared_read
from servicekit.http.viewsets import StrictViewSetMixin

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

# Made once, as a view's `queryset` is.
DETAILS = selectors.list_products().values(
    *serializers.ProductDetail.columns(), "category__translations"
)


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description
    )


IF_MATCH = _header(
    "If-Match",
    'The ETag of what you read, such as "3-25", or its version alone, "3"; a list, or *.',
)
IF_NONE_MATCH = _header("If-None-Match", "The ETag of what you have: 304 while it is so.")
KEY = _header("Idempotency-Key", "Repeat safely with the same key.")
#: Members that change while version and stock stay as they are.
WITHOUT_A_VERSION = ("category_path", "rating_average", "rating_count", "images")
# A version, and with it the stock and a checksum, as GET sends them.
TAG = re.compile(r"([0-9]{1,10})(?:-[0-9]{1,19}(?:-[0-9a-f]{8})?)?")


class ProductViewSet(StrictViewSetMixin, ListModelMixin, GenericViewSet[Product]):
    """Products, and the stock of each."""

    permission_classes = [IsStaffOrReadOnly]
    # Made once and cloned for each request: to name a dozen columns costs 0.2 ms of CPU.
    queryset = selectors.list_products().values(*serializers.ProductRead.columns())
    serializer_class = serializers.ProductFound
    filterset_class = ProductFilterSet
    lookup_url_kwarg = "product_id"
    max_body_bytes = MAX_PRODUCT_BYTES
    query_parameters: ClassVar = {
        "retrieve": frozenset({"language"}),
        "facets": frozenset(ProductFilterSet.base_filters),
    }
    # An index for each of them but relevance is in models/catalogue.py.
    orderings = (
        BY_RELEVANCE,
        Ordering("created_at", datetime, descending=True),
        Ordering("created_at", datetime),
        Ordering("rating_average", Decimal, descending=True),
        Ordering("price", Decimal),
        Ordering("price", Decimal, descending=True),
        Ordering("name", str, collation=BY_LANGUAGE),
        Ordering("name", str, descending=True, collation=BY_LANGUAGE),
    )

    def get_queryset(self) -> QuerySet[Any]:
        """The rows that the caller may see: staff also inactive products, in lists if they ask."""
        is_list = self.action in ("list", "facets")
        asks = not is_list or "active" in self.request.query_params
        rows = super().get_queryset() if is_list else DETAILS.all()
        return rows if asks and is_staff(self.request) else rows.filter(active=True)

    @extend_schema(
        operation_id="list_products",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.ProductFound(many=True), 304: None},
    )
    @shared_read(is_the_same_for_customers=True)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The products that are for sale, in pages; staff can ask for the others."""
        if not self._is_search():
            return super().list(request, *args, **kwargs)
        with search.planned():
            return super().list(request, *args, **kwargs)

    def paginate_queryset(self, queryset: QuerySet[Any] | Sequence[Any]) -> Any:
        """Return the rows of the page, in the language that was asked for."""
        language = language_of(self.request.query_params)
        rows = [product_in(language, row) for row in super().paginate_queryset(queryset) or []]
        return [with_highlight(row) for row in rows] if self._is_search() else rows

    def get_serializer_class(self) -> type[serializers.ProductRead]:
        """Return what makes the bodies of the page: with highlights for a search."""
        return serializers.ProductFound if self._is_search() else serializers.ProductRead

    @extend_schema(operation_id="list_facets", responses=FacetsRead, filters=True)
    @action(detail=False, pagination_class=None)
    @shared_read(is_the_same_for_customers=True)
    def facets(self, request: Request) -> Response:
        """How many of the products that a list with these filters has are of which kind.

        The values of an attribute are counted as if it were not filtered by, so that another can
        be chosen beside it.
        """
        with search.planned():
            return Response(facets_of(request, self.get_queryset()))

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
    @shared_read(is_the_same_for_customers=True)
    def retrieve(self, request: Request, product_id: UUID) -> Response:
        """One product."""
        body = _detail(self.get_object(), language_of(request.query_params))
        return Response(body, headers={"ETag": _tag(body)})

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
        delete_product(product_id=product_id, if_versions=_versions_to_match(request))
        return Response(status=204)

    @extend_schema(operation_id="read_stock", responses=serializers.LedgerRead)
    @action(
        detail=True, url_path="stock", permission_classes=[IsStaff], max_body_bytes=MAX_BODY_BYTES
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
            if_versions=_versions_to_match(self.request),
        )
        return Response(self._body(product_id))

    def _body(self, product_id: UUID) -> Any:
        return _detail(get_object_or_404(self.get_queryset(), pk=product_id))

    def _is_search(self) -> bool:
        return "search" in self.request.query_params


def _detail(row: dict[str, Any], language: str = BASE_LANGUAGE) -> dict[str, Any]:
    path = selectors.category_path(category_id=row["category__id"])
    path = [category_in(language, category) for category in path]
    # What shows no image in lists has none.
    images = selectors.list_images(product_id=row["id"]) if row["image"] else []
    wording = product_in(language, row)
    return serializers.ProductDetail.body({**wording, "category_path": path, "images": images})


def _tag(body: dict[str, Any]) -> str:
    """Version and stock, and a checksum of what changes without either."""
    rest = [body[name] for name in WITHOUT_A_VERSION]
    return f'"{body["version"]}-{body["stock"]}-{zlib.crc32(orjson.dumps(rest)):08x}"'


def _versions_to_match(request: Request) -> frozenset[int] | None:
    """The versions that If-Match names, whatever the stock.

    An edit is of the catalogue's fields, and purchases change the stock meanwhile.

    A weak tag counts for its version, too. RFC 9110 (13.1.1) asks for equal bytes, but ours become
    weak only in the gateway, where nginx compresses; a client that sends back what it got could
    never edit a long product (docs/adr/0058-a-weak-tag-may-be-edited.md).
    """
    tags = conditional.tags_to_match(request)
    if tags is None:
        return None
    found = (TAG.fullmatch(tag) for tag in tags)
    return frozenset(int(match[1]) for match in found if match)
