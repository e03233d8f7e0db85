"""Machine clients over HTTP, for admins."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.api.clients.client_serializers import (
    ClientRead,
    ClientRotate,
    ClientWithSecretRead,
    ClientWrite,
)
from users.api.headers import NO_STORE
from users.api.permissions import IsAdmin
from users.models import ServiceClient
from users.services import service_clients
from users.services.service_clients import NewSecret

CREATE_EXAMPLE = OpenApiExample(
    "A warehouse", {"name": "Warehouse", "scopes": ["stock:read", "stock:write"]}, request_only=True
)
ROTATE_EXAMPLE = OpenApiExample("Within a day", {"overlap_seconds": 86400}, request_only=True)


class ServiceClientViewSet(StrictViewSetMixin, ListModelMixin, GenericViewSet[ServiceClient]):
    """Machine clients: integrations that call the API with scopes of their own."""

    permission_classes = (IsAdmin,)
    serializer_class = ClientRead
    orderings = (Ordering("id", UUID, descending=True),)
    lookup_url_kwarg = "client_id"

    def get_queryset(self) -> QuerySet[ServiceClient]:
        return selectors.list_clients()

    @extend_schema(operation_id="list_clients")
    def list(self, request: Request) -> Response:
        """Every client, the newest first, withdrawn clients too."""
        return super().list(request)

    @extend_schema(
        operation_id="create_client",
        request=ClientWrite,
        responses={201: ClientWithSecretRead},
        examples=[CREATE_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Make a client. Its secret is in this answer and in no other."""
        made = service_clients.create_client(**self.valid(ClientWrite), by=caller_of(request).id)
        return _with_secret(made, 201)

    @extend_schema(
        operation_id="rotate_client_secret",
        request=ClientRotate,
        responses=ClientWithSecretRead,
        examples=[ROTATE_EXAMPLE],
    )
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, client_id: UUID) -> Response:
        """A new secret; the present one works for a while longer."""
        members = self.valid(ClientRotate)
        made = service_clients.rotate_secret(
            client_id=client_id, **members, by=caller_of(request).id
        )
        return _with_secret(made, 200)

    @extend_schema(operation_id="withdraw_client", request=None, responses=ClientRead)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, client_id: UUID) -> Response:
        """No more tokens; those that it has are refused everywhere within seconds."""
        self.refuse_members()
        client = service_clients.withdraw_client(client_id=client_id, by=caller_of(request).id)
        return Response(ClientRead(client).data)


def _with_secret(made: NewSecret, status: int) -> Response:
    body = {"client": made.client, "client_secret": made.secret}
    return Response(ClientWithSecretRead(body).data, status, headers=NO_STORE)
