"""Attributes over HTTP: everybody reads, staff write."""

from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import selectors
from products.api.attributes.attribute_serializers import (
    AttributeEdit,
    AttributeRead,
    AttributeWrite,
)
from products.api.permissions import EditsCatalogueOrReads
from products.api.translated import TranslatedViewSetMixin
from products.api.wording import LANGUAGE
from products.models import Attribute
from products.services.attributes import create_attribute, delete_attribute, edit_attribute
from servicekit.collations import BY_BYTES
from servicekit.http.pagination import Ordering
from servicekit.http.shared_reads import shared_read


class AttributeViewSet(
    TranslatedViewSetMixin,
    ListModelMixin,
    RetrieveModelMixin,
    GenericViewSet[Attribute],
):
    """What products can be described by."""

    permission_classes = [EditsCatalogueOrReads]
    queryset = selectors.list_attributes().values(*AttributeRead.columns())
    serializer_class = AttributeRead
    lookup_url_kwarg = "attribute_id"
    orderings: ClassVar = (Ordering("key", collation=BY_BYTES),)

    @extend_schema(
        operation_id="list_attributes", description="Every attribute.", parameters=[LANGUAGE]
    )
    @shared_read(is_the_same_for_customers=True)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every attribute."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="read_attribute", description="One attribute.", parameters=[LANGUAGE]
    )
    @shared_read(is_the_same_for_customers=True)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One attribute."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        operation_id="create_attribute", request=AttributeWrite, responses={201: AttributeRead}
    )
    def create(self, request: Request) -> Response:
        """Add an attribute; its key and its type are for ever."""
        attribute = create_attribute(**self.valid(AttributeWrite))
        headers = {"Location": f"{request.path}{attribute.pk}/"}
        return Response(self._body(attribute.pk), 201, headers=headers)

    @extend_schema(operation_id="edit_attribute", request=AttributeEdit)
    def partial_update(self, request: Request, attribute_id: UUID) -> Response:
        """Change what an attribute is called."""
        changes = self.valid(AttributeEdit, partial=True)
        edit_attribute(attribute_id=attribute_id, changes=changes)
        return Response(self._body(attribute_id))

    @extend_schema(operation_id="delete_attribute", responses={204: None})
    def destroy(self, request: Request, attribute_id: UUID) -> Response:
        """Delete an attribute that no product has."""
        self.refuse_members()
        delete_attribute(attribute_id=attribute_id)
        return Response(status=204)

    def _body(self, attribute_id: UUID) -> Any:
        return AttributeRead.body(get_object_or_404(self.get_queryset(), pk=attribute_id))
