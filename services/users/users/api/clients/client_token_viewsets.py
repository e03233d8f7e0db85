"""Tokens for machine clients: the client credentials grant of OAuth 2.0 (RFC 6749, 4.4)."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from servicekit.http.viewsets import StrictViewSetMixin
from users.api.clients.client_credentials import FormParser, credentials_of, form_of
from users.api.clients.client_serializers import ClientTokenRead, ClientTokenWrite
from users.api.sources import source_of
from users.errors import InvalidTokenRequest, UnsupportedGrantType
from users.models import ServiceClient
from users.services import service_clients

TOKEN_EXAMPLE = OpenApiExample(
    "Read the stock",
    {"grant_type": "client_credentials", "scope": "stock:read"},
    request_only=True,
    media_type=FormParser.media_type,
)
#: RFC 6749, 5.1.
NOT_TO_BE_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
FIRST_SERVER_FAULT = 500


class ClientTokenViewSet(StrictViewSetMixin, GenericViewSet[ServiceClient]):
    """Tokens of machine clients."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (FormParser,)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer a problem with the members that OAuth clients read (RFC 6749, 5.2)."""
        answer = super().handle_exception(exc)
        status = answer.status_code
        is_away = status >= FIRST_SERVER_FAULT or "Retry-After" in answer.headers
        error = "temporarily_unavailable" if is_away else "invalid_request"
        members = {"error": error, "error_description": answer.data["detail"]}
        answer.data = {**members, **answer.data}
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @extend_schema(
        operation_id="client_token",
        request={FormParser.media_type: ClientTokenWrite},
        responses=ClientTokenRead,
        examples=[TOKEN_EXAMPLE],
        auth=[{"clientSecret": []}],  # type: ignore[list-item]  # its hint knows no requirement
    )
    @action(detail=False, methods=["post"])
    def token(self, request: Request) -> Response:
        """The id and secret of a client, by HTTP Basic authentication, for an access token."""
        client_id, secret = credentials_of(request)
        form = form_of(request)
        if "grant_type" not in form:
            raise InvalidTokenRequest("The grant_type is missing.")
        if form["grant_type"] != "client_credentials":
            raise UnsupportedGrantType
        token = service_clients.issue_token(
            client_id=client_id,
            secret=secret,
            scope=form.get("scope", ""),
            source=source_of(request),
        )
        return Response(ClientTokenRead(token).data, headers=NOT_TO_BE_KEPT)
