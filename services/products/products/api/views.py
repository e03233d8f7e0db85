"""The catalogue over HTTP: everybody reads, staff write."""

import re
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from products import selectors, services, stock
from products.api import serializers
from products.models import Category, Product
from servicekit.auth.authentication import caller_of, is_staff
from servicekit.auth.permissions import IsStaff, IsStaffOrReadOnly
from servicekit.collations import BY_BYTES
from servicekit.http import conditional, idempotency, pagination
from servicekit.http.fields import MONEY
from servicekit.http.problems import InvalidInput
from servicekit.http.views import StrictView

FILTERS = frozenset({"slug", "category", "search", "min_price", "max_price", "ordering", "active"})
MAX_SEARCH = 100
BY_SLUG = pagination.Order("slug", collation=BY_BYTES)
LEDGER_ROWS = 100
#: A description of 10,000 characters, each written as two escapes.
MAX_PRODUCT_BYTES = 128 * 1024
PRODUCT_EXAMPLE = OpenApiExample(
    "A lantern",
    {"slug": "white-lantern", "name": "White lantern", "price": "3.39", "currency": "GBP", "stock": 25},
    request_only=True,
)


def _parameter(name: str, description: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description, **options)


PAGE = [
    _parameter("cursor", "From `next`."),
    OpenApiParameter("page_size", OpenApiTypes.INT, description="1 to 100."),
]
IF_MATCH = _parameter(
    "If-Match",
    'The ETag of what you read, such as "3-25", or its version alone, "3"; a list, or *.',
    location=OpenApiParameter.HEADER,
)
IF_NONE_MATCH = _parameter(
    "If-None-Match", "The ETag of what you have: 304 while it is so.", location=OpenApiParameter.HEADER
)
# A version, and the stock with it, as GET sends them.
TAG = re.compile(r"([0-9]{1,10})(?:-[0-9]{1,19})?")
KEY = _parameter("Idempotency-Key", "Repeat safely with the same key.", location=OpenApiParameter.HEADER)


class Products(StrictView):
    """The list, and what is added to it."""

    permission_classes = [IsStaffOrReadOnly]
    query_parameters: ClassVar = {"GET": FILTERS | pagination.PARAMETERS}
    max_body_bytes = MAX_PRODUCT_BYTES

    @extend_schema(
        operation_id="list_products",
        parameters=[
            *PAGE,
            _parameter("slug", "Exactly this one."),
            _parameter("category", "Slug of a category."),
            _parameter("search", "Part of the name; three letters or digits in a row make it quick."),
            _parameter("min_price", 'Such as "1.50".'),
            _parameter("max_price", 'Such as "9.99".'),
            _parameter("ordering", "The order of the list.", enum=sorted(selectors.ORDERS)),
            _parameter("active", "Staff only.", enum=["true", "false", "all"]),
        ],
        responses=serializers.ProductPage,
    )
    def get(self, request: Request) -> Response:
        order = selectors.ORDERS.get(request.query_params.get("ordering", "-created_at"))
        if order is None:
            raise InvalidInput(f"ordering is one of {', '.join(selectors.ORDERS)}.")
        wanted = _filter(request)
        with selectors.planned_anew(wanted):
            rows, following = pagination.page(request, selectors.list_products(wanted), order)
        return Response(pagination.page_body([selectors.product_body(row) for row in rows], following))

    @extend_schema(
        operation_id="create_product",
        request=serializers.ProductCreate,
        examples=[PRODUCT_EXAMPLE],
        responses={201: serializers.ProductRead},
    )
    def post(self, request: Request) -> Response:
        members = self.valid(serializers.ProductCreate)
        product = services.create_product(**members, by=caller_of(request).id)
        body = selectors.product_for_id(product_id=product.pk, is_staff=True)
        return Response(body, 201, headers={"Location": f"/api/products/{product.pk}/"})


class OneProduct(StrictView):
    """One product."""

    permission_classes = [IsStaffOrReadOnly]
    max_body_bytes = MAX_PRODUCT_BYTES

    @extend_schema(
        operation_id="read_product",
        parameters=[IF_NONE_MATCH],
        responses={200: serializers.ProductRead, 304: None},
    )
    def get(self, request: Request, product_id: UUID) -> Response:
        body = selectors.product_for_id(product_id=product_id, is_staff=is_staff(request))
        if body is None:
            raise Http404
        return conditional.answer(request, body, f'"{body["version"]}-{body["stock"]}"')

    @extend_schema(
        operation_id="edit_product",
        parameters=[IF_MATCH],
        request=serializers.ProductEdit,
        responses=serializers.ProductRead,
    )
    def patch(self, request: Request, product_id: UUID) -> Response:
        changes = self.valid(serializers.ProductEdit, partial=True)
        try:
            services.edit_product(
                product_id=product_id, changes=changes, if_versions=_versions_to_match(request)
            )
        except Product.DoesNotExist as error:
            raise Http404 from error
        return Response(selectors.product_for_id(product_id=product_id, is_staff=True))

    @extend_schema(operation_id="delete_product", parameters=[IF_MATCH], responses={204: None})
    def delete(self, request: Request, product_id: UUID) -> Response:
        self.refuse_members()
        try:
            services.delete_product(product_id=product_id, if_versions=_versions_to_match(request))
        except Product.DoesNotExist as error:
            raise Http404 from error
        return Response(status=204)


class Stock(StrictView):
    """A product's stock: its ledger, and adjustments to it."""

    permission_classes = [IsStaff]

    @extend_schema(operation_id="read_stock", responses=serializers.LedgerRead)
    def get(self, request: Request, product_id: UUID) -> Response:
        product = _product(product_id)
        rows = selectors.list_movements(product_id=product_id)[:LEDGER_ROWS]
        return Response({"stock": product.stock, "results": [selectors.movement_body(row) for row in rows]})

    @extend_schema(
        operation_id="adjust_stock",
        parameters=[KEY],
        request=serializers.StockAdjust,
        responses=serializers.StockRead,
    )
    def post(self, request: Request, product_id: UUID) -> Response:
        members = self.valid(serializers.StockAdjust)
        keyed = idempotency.from_request(
            request, "adjust_stock", caller=caller_of(request).id, about=str(product_id)
        )
        with transaction.atomic():
            replay = keyed.claim() if keyed else None
            if replay:
                return Response(replay.body, replay.status, headers={idempotency.REPLAYED: "true"})
            product = _product(product_id)
            body = {"stock": stock.adjust_stock(product=product, by=caller_of(request).id, **members)}
            if keyed:
                keyed.store(status=200, body=body)
        return Response(body)


class Categories(StrictView):
    """Every category."""

    permission_classes = [IsStaffOrReadOnly]
    query_parameters: ClassVar = {"GET": pagination.PARAMETERS}

    @extend_schema(operation_id="list_categories", parameters=PAGE, responses=serializers.CategoryPage)
    def get(self, request: Request) -> Response:
        rows, following = pagination.page(request, selectors.list_categories(), BY_SLUG)
        return Response(pagination.page_body([selectors.category_body(row) for row in rows], following))

    @extend_schema(
        operation_id="create_category",
        request=serializers.CategoryWrite,
        responses={201: serializers.CategoryRead},
    )
    def post(self, request: Request) -> Response:
        category = services.create_category(**self.valid(serializers.CategoryWrite))
        headers = {"Location": f"/api/categories/{category.pk}/"}
        return Response(_category(category.pk), 201, headers=headers)


class OneCategory(StrictView):
    """One category."""

    permission_classes = [IsStaffOrReadOnly]

    @extend_schema(operation_id="read_category", responses=serializers.CategoryRead)
    def get(self, request: Request, category_id: UUID) -> Response:
        return Response(_category(category_id))

    @extend_schema(
        operation_id="edit_category", request=serializers.CategoryWrite, responses=serializers.CategoryRead
    )
    def patch(self, request: Request, category_id: UUID) -> Response:
        changes = self.valid(serializers.CategoryWrite, partial=True)
        try:
            services.edit_category(category_id=category_id, changes=changes)
        except Category.DoesNotExist as error:
            raise Http404 from error
        return Response(_category(category_id))

    @extend_schema(operation_id="delete_category", responses={204: None})
    def delete(self, request: Request, category_id: UUID) -> Response:
        self.refuse_members()
        try:
            services.delete_category(category_id=category_id)
        except Category.DoesNotExist as error:
            raise Http404 from error
        return Response(status=204)


def _product(product_id: UUID) -> Product:
    product = Product.objects.filter(pk=product_id, deleted_at__isnull=True).first()
    if product is None:
        raise Http404
    return product


def _category(category_id: UUID) -> dict[str, Any]:
    row = selectors.list_categories().filter(pk=category_id).first()
    if row is None:
        raise Http404
    return selectors.category_body(row)


def _filter(request: Request) -> selectors.ProductFilter:
    asked = request.query_params
    search = asked.get("search")
    if search is not None and not 0 < len(search) <= MAX_SEARCH:
        raise InvalidInput(f"search is 1 to {MAX_SEARCH} characters.")
    low, high = _money(request, "min_price"), _money(request, "max_price")
    if low is not None and high is not None and low > high:
        raise InvalidInput("min_price is above max_price.")
    return selectors.ProductFilter(
        active=_active(request),
        slug=asked.get("slug"),
        category=asked.get("category"),
        search=search,
        min_price=low,
        max_price=high,
    )


def _active(request: Request) -> bool | None:
    asked = request.query_params.get("active")
    if asked is None:
        return True
    if not is_staff(request):
        raise InvalidInput("active is for staff.")
    if asked not in {"true", "false", "all"}:
        raise InvalidInput("active is true, false or all.")
    return {"true": True, "false": False}.get(asked)


def _money(request: Request, name: str) -> Decimal | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not MONEY.fullmatch(text):
        raise InvalidInput(f'{name} is a decimal such as "2.55".')
    return Decimal(text)


def _versions_to_match(request: Request) -> frozenset[int] | None:
    """The versions that If-Match names, whatever the stock: an edit concerns the catalogue's fields, and purchases move the stock.

    A weak tag counts for its version, too. RFC 9110 (13.1.1) asks for equal bytes, but ours become weak only in the gateway, where nginx
    compresses; a client that sends back what it got could never edit a long product (docs/adr/0058-a-weak-tag-may-be-edited.md).
    """
    tags = conditional.tags_to_match(request)
    if tags is None:
        return None
    found = (TAG.fullmatch(tag) for tag in tags)
    return frozenset(int(match[1]) for match in found if match)
