"""Bulk operations over HTTP, for staff: begun here, done by the worker, polled for progress."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import selectors
from products.api import bulk_serializers as serializers
from products.api.permissions import EditsCatalogue
from products.models import BulkOperation
from products.services.bulk.operations import cancel_operation, start_operation, undo_operation
from servicekit.auth.authentication import caller_of
from servicekit.http import idempotency
from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin

KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Repeat safely with the same key.",
)
EXAMPLE = OpenApiExample(
    "Lanterns become 5 % dearer",
    {"kind": "change_prices", "percent": "5.00", "filter": {"category": "lanterns"}},
    request_only=True,
)


@extend_schema_view(
    list=extend_schema(
        operation_id="list_bulk_operations", description="Every operation, newest first."
    ),
    retrieve=extend_schema(
        operation_id="read_bulk_operation", description="How far an operation is; poll it."
    ),
)
class BulkOperationViewSet(
    StrictViewSetMixin, ListModelMixin, RetrieveModelMixin, GenericViewSet[BulkOperation]
):
    """Changes of many products at once."""

    permission_classes = [EditsCatalogue]
    queryset = selectors.list_bulk_operations().values(*serializers.BulkOperationRead.columns())
    serializer_class = serializers.BulkOperationRead
    lookup_url_kwarg = "operation_id"
    orderings: ClassVar = (Ordering("id", descending=True),)
    list_actions = frozenset({"list", "errors"})

    @extend_schema(
        operation_id="start_bulk_operation",
        parameters=[KEY],
        request=serializers.BulkOperationWrite,
        examples=[EXAMPLE],
        responses={202: serializers.BulkOperationRead},
    )
    def create(self, request: Request) -> Response:
        """Ask for a change of many products; the answer says where its progress is."""
        members = self.valid(serializers.BulkOperationWrite)
        kind, caller = members.pop("kind"), caller_of(request).id
        keyed = idempotency.from_request(request, "start_bulk_operation", caller=caller)

        def start() -> Any:
            operation = start_operation(kind=kind, parameters=members, by=caller)
            return self._body(operation.pk)

        answer = idempotency.perform(keyed, start, status=202)
        headers = {"Location": f"{request.path}{answer.body['id']}/"}
        if answer.is_replay:
            headers[idempotency.REPLAYED] = "true"
        return Response(answer.body, answer.status, headers=headers)

    @extend_schema(operation_id="list_bulk_errors", responses=serializers.BulkErrorRead(many=True))
    @action(
        detail=True,
        url_path="errors",
        serializer_class=serializers.BulkErrorRead,
        orderings=(Ordering("id"),),
    )
    def errors(self, request: Request, operation_id: UUID) -> Response:
        """Why products or lines were left as they were, in the order in which they were met."""
        get_object_or_404(self.get_queryset(), pk=operation_id)
        rows = selectors.list_bulk_errors(operation_id=operation_id)
        page = self.paginate_queryset(rows.values(*serializers.BulkErrorRead.columns()))
        return self.get_paginated_response(serializers.BulkErrorRead.bodies(page or ()))

    @extend_schema(
        operation_id="cancel_bulk_operation",
        request=None,
        responses=serializers.BulkOperationRead,
    )
    @action(detail=True, methods=["post"], url_path="cancel")
    def cancel(self, request: Request, operation_id: UUID) -> Response:
        """Stop an operation; what it has changed stays, and may be undone."""
        self.refuse_members()
        cancel_operation(operation_id=operation_id)
        return Response(self._body(operation_id))

    @extend_schema(
        operation_id="undo_bulk_operation",
        request=None,
        responses={202: serializers.BulkOperationRead},
    )
    @action(detail=True, methods=["post"], url_path="undo")
    def undo(self, request: Request, operation_id: UUID) -> Response:
        """Put back what an operation changed and nobody has changed since: another operation."""
        self.refuse_members()
        undone = undo_operation(operation_id=operation_id, by=caller_of(request).id)
        headers = {"Location": self._location(undone.pk)}
        return Response(self._body(undone.pk), 202, headers=headers)

    def _location(self, operation_id: UUID) -> str:
        return f"/api/bulk-operations/{operation_id}/"

    def _body(self, operation_id: UUID) -> Any:
        rows: QuerySet[Any] = self.get_queryset()
        return serializers.BulkOperationRead.body(get_object_or_404(rows, pk=operation_id))
