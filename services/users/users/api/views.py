"""Accounts and tokens over HTTP: parse, call, answer."""

import hashlib
from typing import Any, ClassVar

import orjson
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.auth.authentication import caller_of
from servicekit.auth.permissions import IsAuthenticated, IsStaff
from servicekit.http import conditional, pagination
from servicekit.http.views import StrictView
from users import selectors
from users.api import serializers
from users.api.sources import source_of
from users.services import accounts, sessions, signing_keys

NO_STORE = {"Cache-Control": "no-store"}
NEWEST = pagination.Order("id", descending=True)
ADA = {"email": "ada@example.org", "password": "a long enough one"}
REGISTER_EXAMPLE = OpenApiExample("Ada", {**ADA, "name": "Ada"}, request_only=True)
LOG_IN_EXAMPLE = OpenApiExample("Ada", ADA, request_only=True)


class KeySet(StrictView):
    """The public keys that verify access tokens (RFC 7517)."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="read_key_set", responses={200: serializers.KeySetRead, 304: None}, auth=[]
    )
    def get(self, request: Request) -> Response:
        body = signing_keys.jwks()
        tag = f'"{hashlib.sha256(orjson.dumps(body)).hexdigest()[:32]}"'
        headers = {
            "Cache-Control": f"public, max-age={signing_keys.JWKS_MAX_AGE_SECONDS}",
            "ETag": tag,
        }
        if conditional.is_known(request, tag):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)


class Users(StrictView):
    """Registration, and the list for staff."""

    query_parameters: ClassVar = {"GET": pagination.PARAMETERS}

    def get_authenticators(self) -> list[Any]:
        # Without a request, the OpenAPI document is being made.
        is_registration = self.request is not None and self.request.method == "POST"
        return [] if is_registration else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method == "POST" else [IsAuthenticated(), IsStaff()]

    @extend_schema(operation_id="list_users", responses=serializers.AccountPage)
    def get(self, request: Request) -> Response:
        rows, following = pagination.page(request, selectors.list_accounts(), NEWEST)
        body = pagination.page_body([selectors.account_body(row) for row in rows], following)
        return Response(body, headers=NO_STORE)

    @extend_schema(
        operation_id="register",
        request=serializers.Register,
        responses={201: serializers.AccountRead},
        examples=[REGISTER_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        account = accounts.register(**self.valid(serializers.Register))
        headers = {**NO_STORE, "Location": "/api/users/me/"}
        return Response(selectors.account_for_id(account.pk), 201, headers=headers)


class Me(StrictView):
    """The caller's own account."""

    @extend_schema(operation_id="read_me", responses=serializers.AccountRead)
    def get(self, request: Request) -> Response:
        return Response(_own(request), headers=NO_STORE)

    @extend_schema(
        operation_id="edit_me", request=serializers.Rename, responses=serializers.AccountRead
    )
    def patch(self, request: Request) -> Response:
        _own(request)
        accounts.rename(account_id=caller_of(request).id, **self.valid(serializers.Rename))
        return Response(_own(request), headers=NO_STORE)


class Password(StrictView):
    """A new password; every other session ends."""

    @extend_schema(
        operation_id="change_password", request=serializers.ChangePassword, responses={204: None}
    )
    def post(self, request: Request) -> Response:
        members = self.valid(serializers.ChangePassword)
        serializers.check_password_field(
            "new_password", members["new_password"], _own(request)["email"]
        )
        accounts.change_password(
            account_id=caller_of(request).id,
            current=members["current_password"],
            new=members["new_password"],
            session_id=caller_of(request).session_id,
            source=source_of(request),
        )
        return Response(status=204)


class LogIn(StrictView):
    """Address and password for tokens."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="log_in",
        request=serializers.LogIn,
        responses=serializers.TokensRead,
        examples=[LOG_IN_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        tokens = sessions.log_in(**self.valid(serializers.LogIn), source=source_of(request))
        return Response(tokens, headers=NO_STORE)


class Refresh(StrictView):
    """A refresh token for new tokens."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="refresh", request=serializers.RefreshToken, responses=serializers.TokensRead
    )
    def post(self, request: Request) -> Response:
        return Response(sessions.refresh(**self.valid(serializers.RefreshToken)), headers=NO_STORE)


class Revoke(StrictView):
    """Log out: the session ends everywhere within seconds (RFC 7009)."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(operation_id="log_out", request=serializers.RefreshToken, responses={204: None})
    def post(self, request: Request) -> Response:
        sessions.log_out(**self.valid(serializers.RefreshToken))
        return Response(status=204)


def _own(request: Request) -> dict[str, Any]:
    body = selectors.account_for_id(caller_of(request).id)
    if body is None:
        raise AuthenticationFailed("The account is gone.", "invalid_token")
    return body
