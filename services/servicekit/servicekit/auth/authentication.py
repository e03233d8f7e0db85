"""Who is calling: the bearer of a verified access token (RFC 6750)."""

import re
from collections.abc import Set
from functools import cached_property
from typing import Any, NoReturn, cast
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.models import TokenUser

from servicekit.auth import revocations, tokens
from servicekit.auth.token_rules import ADMIN, CUSTOMER, STAFF
from servicekit.auth.tokens import AccessToken

CREDENTIALS = re.compile(rb"bearer ([A-Za-z0-9_.-]+)", re.IGNORECASE)
REALM = "souk"
CHALLENGE = f'Bearer realm="{REALM}"'
#: How the OpenAPI documents name the tokens of machine clients.
CLIENT_SCHEME = "client"


class Principal(TokenUser):
    """The caller, built from the token's claims alone; no row of any table stands behind it."""

    token: AccessToken
    is_superuser = False

    @cached_property
    def id(self) -> UUID:  # type: ignore[override]
        """The id of the account, or of the machine client."""
        return self.token.claims.subject

    @property
    def roles(self) -> frozenset[str]:
        """The roles that users wrote into the token."""
        return self.token.claims.roles

    @property
    def scopes(self) -> frozenset[str]:
        """What a machine client may do; a person has none."""
        return self.token.claims.scopes

    @property
    def is_machine(self) -> bool:
        """Whether the caller is a machine client."""
        return self.token.claims.client_id is not None

    @property
    def session_id(self) -> UUID | None:
        """The log-in that the token belongs to."""
        return self.token.claims.session_id

    @cached_property
    def is_staff(self) -> bool:
        """Whether the caller is staff."""
        return STAFF in self.roles

    def has_role(self, roles: Set[str]) -> bool:
        """Whether the caller is staff with one of these roles; an admin has them all.

        So has, for now, who is staff without any further role: the release before told only that,
        and users itself issues no such token (docs/adr/0094-roles-and-machine-clients.md).
        """
        held = self.roles - {CUSTOMER, STAFF}
        return self.is_staff and (not held or ADMIN in held or bool(held & roles))

    def __getattr__(self, attr: str) -> NoReturn:
        # TokenUser answers with any claim of that name, and with None for what does not exist.
        raise AttributeError(f"{type(self).__name__} has no {attr}")


class Anonymous(AnonymousUser):
    """A caller without a token."""

    session_id = None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    is_machine = False

    def has_role(self, roles: Set[str]) -> bool:
        """Whether the caller has one of these roles: no."""
        return False


class BearerAuthentication(JWTStatelessUserAuthentication):
    """Takes the caller from `Authorization: Bearer`, in any case.

    Stock simplejwt leaves whoever sends another scheme, or "bearer" in lower case, anonymous. Here
    a request without the header is anonymous, and any header that proves nothing is 401.
    """

    www_authenticate_realm = REALM

    def get_header(self, request: Request) -> bytes | None:  # type: ignore[override]
        """Return the header's value, as far as it can be a token of ours; None without it."""
        header = request.META.get("HTTP_AUTHORIZATION")
        return None if header is None else str(header).encode("utf-8", "replace")

    def get_raw_token(self, header: bytes) -> bytes:
        """Return the token in the header.

        Raises:
            AuthenticationFailed: the header holds no single bearer token.
        """
        credentials = CREDENTIALS.fullmatch(header)
        if credentials is None:
            raise AuthenticationFailed(
                "The Authorization header holds no bearer token.", "invalid_token"
            )
        return credentials[1]

    def get_validated_token(self, raw_token: bytes) -> AccessToken:
        """Return the verified token of a session that has not ended.

        Raises:
            AuthenticationFailed: the token is not good now, or its session was revoked.
        """
        try:
            token = tokens.verified(raw_token.decode("ascii"))
        except tokens.InvalidToken as fault:
            has_expired = fault.code == "expired"
            what = "has expired" if has_expired else "is not valid"
            raise AuthenticationFailed(f"The access token {what}.", "invalid_token") from None
        if revocations.is_revoked(token.claims):
            raise AuthenticationFailed("The session has ended.", "invalid_token")
        return token

    def get_user(self, validated_token: AccessToken) -> Principal:  # type: ignore[override]
        """Return the caller."""
        return Principal(validated_token)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401; it says so when a token was sent."""
        sent = "HTTP_AUTHORIZATION" in request.META
        return f'{CHALLENGE}, error="invalid_token"' if sent else CHALLENGE


def viewer_of(request: Request) -> Principal | Anonymous:
    """Return who calls a view that everybody reaches."""
    return cast(Principal | Anonymous, request.user)


def caller_of(request: Request) -> Principal:
    """Return who calls a view that only the authenticated reach."""
    return cast(Principal, request.user)


def is_staff(request: Request) -> bool:
    """Whether the caller (possibly anonymous) is staff."""
    return bool(viewer_of(request).is_staff)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes it."""

    target_class = BearerAuthentication
    name = "bearer"
    priority = 1  # before drf-spectacular's own for simplejwt, which matches subclasses

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        """Return what an operation takes: a person's token, or that of a client with a scope.

        Each of these will do; for `bearer`, the name is a role (OpenAPI 3.1, Security Requirement).
        """
        view = auto_schema.view
        # Those of servicekit.auth.permissions, which imports this module.
        found = [each for each in view.get_permissions() if hasattr(each, "scopes_for")]
        roles = {role for each in found for role in each.roles_for(view.request)}
        scopes = {scope for each in found for scope in each.scopes_for(view.request)}
        people = [{"bearer": [role]} for role in sorted(roles)] or [{"bearer": []}]
        return people + [{CLIENT_SCHEME: [scope]} for scope in sorted(scopes)]
