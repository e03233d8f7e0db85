"""Accounts in the hands of admins over HTTP: roles, and whether they may log in."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.api.headers import NO_STORE
from users.api.permissions import IsAdmin
from users.api.serializers import AccountRead
from users.api.sources import origin_of
from users.api.staff_serializers import RolesRead, RolesWrite
from users.models import Account
from users.roles import STAFF_ROLES
from users.services import roles

ROLES_EXAMPLE = OpenApiExample("A packer", {"roles": ["fulfilment"]})


class StaffViewSet(StrictViewSetMixin, GenericViewSet[Account]):
    """What admins decide about an account."""

    permission_classes = (IsAdmin,)
    serializer_class = AccountRead
    queryset = selectors.list_accounts()
    lookup_url_kwarg = "account_id"

    @extend_schema(operation_id="read_roles", responses=RolesRead, examples=[ROLES_EXAMPLE])
    @action(detail=True, url_path="roles")
    def read_roles(self, request: Request, account_id: UUID) -> Response:
        """The roles of staff that an account has."""
        return _roles_of(get_object_or_404(self.get_queryset(), pk=account_id))

    @extend_schema(
        operation_id="set_roles",
        request=RolesWrite,
        responses=RolesRead,
        examples=[ROLES_EXAMPLE],
    )
    @read_roles.mapping.put
    def set_roles(self, request: Request, account_id: UUID) -> Response:
        """Give an account these roles of staff and no others; a change ends its sessions."""
        members = self.valid(RolesWrite)
        account = roles.set_roles(
            account_id=account_id,
            roles=set(members["roles"]),
            by=caller_of(request).id,
            **origin_of(request),
        )
        return _roles_of(account)

    @extend_schema(operation_id="deactivate_user", request=None, responses=AccountRead)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, account_id: UUID) -> Response:
        """Refuse an account from now on; its sessions end everywhere within seconds."""
        self.refuse_members()
        account = roles.deactivate(
            account_id=account_id, by=caller_of(request).id, **origin_of(request)
        )
        return Response(AccountRead(account).data, headers=NO_STORE)

    @extend_schema(operation_id="reactivate_user", request=None, responses=AccountRead)
    @action(detail=True, methods=["post"])
    def reactivate(self, request: Request, account_id: UUID) -> Response:
        """Let a deactivated account log in again."""
        self.refuse_members()
        account = roles.reactivate(
            account_id=account_id, by=caller_of(request).id, **origin_of(request)
        )
        return Response(AccountRead(account).data, headers=NO_STORE)


def _roles_of(account: Account) -> Response:
    held = [role for role in account.roles if role in STAFF_ROLES]
    return Response(RolesRead({"roles": held}).data, headers=NO_STORE)
