"""Accounts as staff see them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.api.account_serializers import StaffSecurityEventRead
from users.api.headers import NO_STORE
from users.api.permissions import ListsAccounts
from users.api.serializers import AccountRead
from users.models import Account, SecurityEvent


class AccountViewSet(StrictViewSetMixin, GenericViewSet[Account]):
    """An account, for staff."""

    permission_classes = (ListsAccounts,)
    lookup_url_kwarg = "account_id"
    serializer_class = AccountRead

    def get_queryset(self) -> QuerySet[Account]:
        """Every account, inactive accounts too."""
        return selectors.list_accounts()

    @extend_schema(operation_id="read_user")
    def retrieve(self, request: Request, account_id: UUID) -> Response:
        """An account."""
        return Response(AccountRead(self.get_object()).data, headers=NO_STORE)


class SecurityEventViewSet(StrictViewSetMixin, ListModelMixin, GenericViewSet[SecurityEvent]):
    """What happened to an account, for staff; of a deleted account, too."""

    permission_classes = (ListsAccounts,)
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
