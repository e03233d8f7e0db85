"""Accounts over HTTP: parse, call, answer."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.auth.authentication import caller_of
from servicekit.auth.permissions import IsAuthenticated
from servicekit.http.pagination import Ordering
from servicekit.http.viewsets import StrictViewSetMixin
from users import selectors
from users.api.filters import AccountFilterSet
from users.api.headers import IF_MATCH, NO_STORE
from users.api.own import own_account, versions_to_match
from users.api.permissions import ListsAccounts
from users.api.serializers import (
    AccountRead,
    ChangePassword,
    EditProfile,
    Register,
)
from users.api.sources import origin_of, source_of
from users.models import Account
from users.services import accounts, profiles, registration

REGISTER_EXAMPLE = OpenApiExample(
    "Ada",
    {"email": "ada@example.org", "password": "a long enough one", "name": "Ada"},
    request_only=True,
)
PROFILE_EXAMPLE = OpenApiExample(
    "German, and no mail but for orders",
    {"language": "de", "marketing_consent": False},
    request_only=True,
)


class UserViewSet(StrictViewSetMixin, ListModelMixin, GenericViewSet[Account]):
    """Registration, and the list for staff."""

    permission_classes = (ListsAccounts,)
    serializer_class = AccountRead
    orderings = (Ordering("id", UUID, descending=True),)
    filterset_class = AccountFilterSet

    def get_authenticators(self) -> list[BaseAuthentication]:
        # A client's expired token must not keep it from registering. DRF asks before it knows the
        # action, and drf-spectacular asks without a request.
        method = (self.request.method or "").lower() if self.request else ""
        is_registration = self.action_map.get(method) == "create"
        return [] if is_registration else super().get_authenticators()

    def get_permissions(self) -> Sequence[Any]:
        return [AllowAny()] if self.action == "create" else super().get_permissions()

    def get_queryset(self) -> QuerySet[Account]:
        return selectors.list_accounts().prefetch_related("groups")

    def get_object(self) -> Account:
        """Return the caller's own account.

        Raises:
            AuthenticationFailed: it was deleted or deactivated since its token was issued.
        """
        return own_account(self.request)

    @extend_schema(operation_id="list_users")
    def list(self, request: Request) -> Response:
        answer = super().list(request)
        answer["Cache-Control"] = "no-store"
        return answer

    @extend_schema(
        operation_id="register",
        request=Register,
        responses={202: None},
        examples=[REGISTER_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Mail the address a token that opens the account; a notice, if it has one.

        The answer does not tell which.
        """
        registration.ask(**self.valid(Register), source=source_of(request))
        return Response(status=202, headers=NO_STORE)

    @extend_schema(operation_id="read_me", responses=AccountRead)
    @action(detail=False, permission_classes=[IsAuthenticated])
    def me(self, request: Request) -> Response:
        """The caller's own account."""
        return self._own_answer()

    @extend_schema(
        operation_id="edit_me",
        request=EditProfile,
        responses=AccountRead,
        parameters=[IF_MATCH],
        examples=[PROFILE_EXAMPLE],
    )
    @me.mapping.patch
    def edit_me(self, request: Request) -> Response:
        """Name, language, and consent to marketing, whose time is kept."""
        account = self.get_object()
        profiles.edit_profile(
            account_id=account.pk,
            changes=self.valid(EditProfile),
            versions=versions_to_match(request),
        )
        return self._own_answer()

    @extend_schema(operation_id="change_password", request=ChangePassword, responses={204: None})
    @action(
        detail=False,
        methods=["post"],
        url_path="me/password",
        permission_classes=[IsAuthenticated],
    )
    def change_password(self, request: Request) -> Response:
        """A new password; every other session ends."""
        account = self.get_object()
        members = self.valid(ChangePassword, context={"account": account})
        accounts.change_password(
            account_id=account.pk,
            current=members["current_password"],
            new=members["new_password"],
            session_id=caller_of(request).session_id,
            **origin_of(request),
        )
        return Response(status=204)

    def _own_answer(self) -> Response:
        account = self.get_object()
        headers = {**NO_STORE, "ETag": f'"{account.version}"'}
        return Response(AccountRead(account).data, headers=headers)
