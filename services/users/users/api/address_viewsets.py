"""The caller's addresses over HTTP."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.http.pagination import Ordering
from users import selectors
from users.api.address_serializers import AddressRead, AddressWrite
from users.api.own import OwnViewSet
from users.models import Address
from users.services import addresses

ADDRESS_EXAMPLE = OpenApiExample(
    "Ada's",
    {
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "city": "London",
        "postcode": "SW1Y 4JH",
        "country": "GB",
    },
    request_only=True,
)


class AddressViewSet(OwnViewSet, ListModelMixin):
    """Where the caller's orders may be sent: at most 20 addresses, one of them the default."""

    lookup_url_kwarg = "address_id"
    queryset = Address.objects.none()
    serializer_class = AddressRead
    orderings = (Ordering("id", UUID, descending=True),)

    def get_queryset(self) -> QuerySet[Any]:
        """The caller's."""
        rows: QuerySet[Any] = selectors.list_addresses(self.account.pk)
        return rows.values(*AddressRead.columns())

    def body(self, address_id: UUID) -> Any:
        """Return the body of an address."""
        return AddressRead.body(get_object_or_404(self.get_queryset(), pk=address_id))

    @extend_schema(operation_id="list_addresses")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One's own addresses, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="read_address")
    def retrieve(self, request: Request, address_id: UUID) -> Response:
        """One of one's own addresses."""
        return Response(self.body(address_id))

    @extend_schema(
        operation_id="add_address",
        request=AddressWrite,
        responses={201: AddressRead},
        examples=[ADDRESS_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Add an address; the first becomes the default."""
        members = self.valid(AddressWrite)
        address = addresses.add_address(account_id=self.account.pk, fields=members)
        headers = {"Location": f"/api/users/me/addresses/{address.pk}/"}
        return Response(self.body(address.pk), 201, headers=headers)

    @extend_schema(operation_id="edit_address", request=AddressWrite, responses=AddressRead)
    def partial_update(self, request: Request, address_id: UUID) -> Response:
        """Change an address, or make it the default."""
        changes = self.valid(AddressWrite, partial=True)
        addresses.edit_address(account_id=self.account.pk, address_id=address_id, changes=changes)
        return Response(self.body(address_id))

    @extend_schema(operation_id="delete_address", responses={204: None})
    def destroy(self, request: Request, address_id: UUID) -> Response:
        """Delete an address; the newest of the others is the default then, if this was."""
        self.refuse_members()
        addresses.delete_address(account_id=self.account.pk, address_id=address_id)
        return Response(status=204)
