"""Who calls: the bearer of a verified access token (RFC 6750)."""

import re
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from servicekit.auth import revocations, tokens

CREDENTIALS = re.compile(r"bearer ([A-Za-z0-9_.-]+)", re.IGNORECASE | re.ASCII)
CHALLENGE = 'Bearer realm="souk"'
STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as the token names them; no row of any table stands behind it."""

    id: UUID
    roles: frozenset[str]
    session_id: UUID | None
    is_authenticated: bool = True

    @property
    def pk(self) -> UUID:
        """The id, by the name under which throttles look for it."""
        return self.id

    @property
    def is_staff(self) -> bool:
        """Whether the caller works for the shop."""
        return STAFF in self.roles


class Anonymous:
    """A caller who showed no token."""

    id = None
    pk = None
    session_id = None
    roles: frozenset[str] = frozenset()
    is_authenticated = False
    is_staff = False


class BearerAuthentication(BaseAuthentication):
    """Takes the caller from `Authorization: Bearer`. No header is nobody; a header that proves nothing is always 401."""

    def authenticate(self, request: Request) -> tuple[Principal, tokens.Claims] | None:
        """Return the caller and the token's claims, or None without the header.

        Raises:
            AuthenticationFailed: the header holds no token that is good now.
        """
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        claims = authenticated_claims(header)
        return Principal(claims.subject, claims.roles, claims.session_id), claims

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401; it says so when a token was sent."""
        sent = "HTTP_AUTHORIZATION" in request.META
        return f'{CHALLENGE}, error="invalid_token"' if sent else CHALLENGE


def authenticated_claims(header: str) -> tokens.Claims:
    """Return the claims of the token in an Authorization header's value.

    Raises:
        AuthenticationFailed: no single good bearer token of a session that lives.
    """
    credentials = CREDENTIALS.fullmatch(header)
    if credentials is None:
        raise AuthenticationFailed("The Authorization header holds no bearer token.", "invalid_token")
    try:
        claims = tokens.verify(credentials[1])
    except tokens.InvalidToken as fault:
        detail = (
            "The access token has expired." if fault.code == "expired" else "The access token is not valid."
        )
        raise AuthenticationFailed(detail, "invalid_token") from None
    if revocations.is_revoked(claims):
        raise AuthenticationFailed("The session has ended.", "invalid_token")
    return claims


def caller_of(request: Request) -> Principal:
    """Return who calls a view that only the authenticated reach."""
    return cast(Principal, request.user)


def is_staff(request: Request) -> bool:
    """Whether the caller, who may be nobody, works for the shop."""
    return bool(cast(Principal | Anonymous, request.user).is_staff)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes it."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
