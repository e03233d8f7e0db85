"""Tokens over HTTP: parse, call, answer."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.http.problems import CONTENT_TYPE as PROBLEM
from servicekit.http.viewsets import StrictViewSetMixin
from users.api.factors.second_factor_serializers import LogInRefusedRead
from users.api.headers import NO_STORE
from users.api.serializers import LogIn, RefreshToken, TokensRead
from users.api.sources import origin_of
from users.models import Session
from users.services import sessions

LOG_IN_EXAMPLE = OpenApiExample(
    "Ada", {"email": "ada@example.org", "password": "a long enough one"}, request_only=True
)

SECOND_FACTOR_EXAMPLE = OpenApiExample(
    "The account has a second factor",
    {
        "type": "about:blank",
        "title": "Second factor required",
        "status": 401,
        "detail": "Send the challenge with a code or a passkey to /api/auth/second-factor/.",
        "instance": "/api/auth/token/",
        "code": "second_factor_required",
        "request_id": "5f1c5c6de6f84d0f9f6b0a3f0c6f4d1e",
        "challenge": "pGbA7yq0m3V1d8sW5nT2xKfR4uJ6hLcE9oZiXvQwY_I",
        "expires_in": 300,
    },
    response_only=True,
    status_codes=["401"],
    media_type=PROBLEM,
)


class SessionViewSet(StrictViewSetMixin, GenericViewSet[Session]):
    """Tokens: a session begins with a log-in, is renewed by refresh and ends when revoked."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="log_in",
        request=LogIn,
        responses={200: TokensRead, (401, PROBLEM): LogInRefusedRead},
        examples=[LOG_IN_EXAMPLE, SECOND_FACTOR_EXAMPLE],
    )
    @action(detail=False, methods=["post"])
    def token(self, request: Request) -> Response:
        """Address and password for tokens; with a second factor, for a challenge."""
        tokens = sessions.log_in(**self.valid(LogIn), **origin_of(request))
        return Response(TokensRead(tokens).data, headers=NO_STORE)

    @extend_schema(operation_id="refresh", request=RefreshToken, responses=TokensRead)
    @action(detail=False, methods=["post"])
    def refresh(self, request: Request) -> Response:
        """A refresh token for new tokens."""
        tokens = sessions.refresh(**self.valid(RefreshToken), **origin_of(request))
        return Response(TokensRead(tokens).data, headers=NO_STORE)

    @extend_schema(operation_id="log_out", request=RefreshToken, responses={204: None})
    @action(detail=False, methods=["post"])
    def revoke(self, request: Request) -> Response:
        """Log out: the session ends everywhere within seconds (RFC 7009)."""
        sessions.log_out(**self.valid(RefreshToken))
        return Response(status=204)
