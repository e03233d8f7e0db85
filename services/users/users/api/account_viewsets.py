"""Accounts as staff see them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.auth.permissions import IsAuthenticated, IsStaff
from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.api.account_serializers import StaffSecurityEventRead
from users.api.headers import NO_STORE
from users.api.serializers import AccountRead
from users.api.sources import origin_of
from users.models import Account, SecurityEvent
from users.services import accounts
from users.services.security_log import Origin


class AccountViewSet(StrictViewSetMixin, GenericViewSet[Account]):
    """An account, for staff."""

    permission_classes = (IsAuthenticated, IsStaff)
    lookup_url_kwarg = "account_id"
    serializer_class = AccountRead

    def get_queryset(self) -> QuerySet[Account]:
        """Every account, inactive accounts too."""
        return selectors.list_accounts()

    @extend_schema(operation_id="read_user")
    def retrieve(self, request: Request, account_id: UUID) -> Response:
        """An account."""
        return self._answer()

    @extend_schema(operation_id="deactivate_user", request=None, responses=AccountRead)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, account_id: UUID) -> Response:
        """Refuse an account from now on; its sessions end everywhere within seconds."""
        self.refuse_members()
        accounts.deactivate(account=self.get_object(), **_origin_of_staff(request))
        return self._answer()

    @extend_schema(operation_id="reactivate_user", request=None, responses=AccountRead)
    @action(detail=True, methods=["post"])
    def reactivate(self, request: Request, account_id: UUID) -> Response:
        """Let a deactivated account log in again."""
        self.refuse_members()
        accounts.reactivate(account=self.get_object(), **_origin_of_staff(request))
        return self._answer()

    def _answer(self) -> Response:
        return Response(AccountRead(self.get_object()).data, headers=NO_STORE)


class SecurityEventViewSet(StrictViewSetMixin, ListModelMixin, GenericViewSet[SecurityEvent]):
    """What happened to an account, for staff; of a deleted account, too."""

    permission_classes = (IsAuthenticated, IsStaff)
    queryset = SecurityEvent.objects.none()
    serializer_class = StaffSecurityEventRead
    orderings = (Ordering("id", UUID, descending=True),)

    def get_queryset(self) -> QuerySet[Any]:
        """Of the account in the address."""
        rows: QuerySet[Any] = selectors.list_security_events(self.kwargs["account_id"])
        return rows.values(*StaffSecurityEventRead.columns())

    @extend_schema(operation_id="list_security_events_of_user")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The security log of an account, newest first; it is kept for 180 days."""
        answer = super().list(request, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer


def _origin_of_staff(request: Request) -> Origin:
    origin = origin_of(request)
    origin["by"] = caller_of(request).id
    return origin
