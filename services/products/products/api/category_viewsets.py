"""Categories over HTTP: everybody reads, staff write."""

from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import selectors
from products.api import serializers
from products.api.permissions import EditsCatalogueOrReads
from products.api.translated import TranslatedViewSetMixin
from products.api.wording import LANGUAGE
from products.models import Category
from products.services.categories import create_category, delete_category, edit_category
from servicekit.collations import BY_BYTES
from servicekit.http.pagination import Ordering
from servicekit.http.shared_reads import shared_read


class CategoryViewSet(
    TranslatedViewSetMixin,
    ListModelMixin,
    RetrieveModelMixin,
    GenericViewSet[Category],
):
    """The tree of categories."""

    permission_classes = [EditsCatalogueOrReads]
    queryset = selectors.list_categories().values(*serializers.CategoryRead.columns())
    serializer_class = serializers.CategoryRead
    lookup_url_kwarg = "category_id"
    orderings: ClassVar = (Ordering("slug", collation=BY_BYTES),)

    @extend_schema(
        operation_id="list_categories", description="Every category.", parameters=[LANGUAGE]
    )
    @shared_read(is_the_same_for_customers=True)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every category."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="read_category", description="One category.", parameters=[LANGUAGE])
    @shared_read(is_the_same_for_customers=True)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One category."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        operation_id="create_category",
        request=serializers.CategoryWrite,
        responses={201: serializers.CategoryRead},
    )
    def create(self, request: Request) -> Response:
        """Add a category."""
        category = create_category(**self.valid(serializers.CategoryWrite))
        headers = {"Location": f"{request.path}{category.pk}/"}
        return Response(self._body(category.pk), 201, headers=headers)

    @extend_schema(operation_id="replace_category", request=serializers.CategoryReplace)
    def update(self, request: Request, category_id: UUID) -> Response:
        """Rename or move a category; without a parent it becomes a root."""
        edit_category(category_id=category_id, changes=self.valid(serializers.CategoryReplace))
        return Response(self._body(category_id))

    @extend_schema(operation_id="edit_category", request=serializers.CategoryWrite)
    def partial_update(self, request: Request, category_id: UUID) -> Response:
        """Rename or move a category."""
        changes = self.valid(serializers.CategoryWrite, partial=True)
        edit_category(category_id=category_id, changes=changes)
        return Response(self._body(category_id))

    @extend_schema(operation_id="delete_category", responses={204: None})
    def destroy(self, request: Request, category_id: UUID) -> Response:
        """Delete a category that nothing is below."""
        self.refuse_members()
        delete_category(category_id=category_id)
        return Response(status=204)

    def _body(self, category_id: UUID) -> Any:
        return self.get_serializer(get_object_or_404(self.get_queryset(), pk=category_id)).data
