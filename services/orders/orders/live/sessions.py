"""Who opens a socket: the bearer of a good token, from a page of ours."""

from typing import Any

from servicekit.auth import revocations, tokens
from servicekit.auth.authentication import CREDENTIALS
from servicekit.auth.tokens import Claims

#: What a browser names beside its token, and gets back (gateway/templates/routes.conf.template).
SUBPROTOCOL = "souk.orders.v1"
TOKEN_PREFIX = "bearer."  # noqa: S105 - a prefix, no secret


class Refused(Exception):
    """No socket for this client: status, code and detail of the problem."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def verified_claims(token: str) -> Claims:
    """Return what a good token of a person says.

    Raises:
        Refused: it is not good now, its session has ended, or a machine shows it.
        KeysUnavailable: no key set was ever had.
    """
    try:
        claims = tokens.verified(token).claims
    except tokens.InvalidToken as fault:
        what = "has expired" if fault.code == "expired" else "is not valid"
        raise Refused(401, "invalid_token", f"The access token {what}.") from None
    if revocations.is_revoked(claims):
        raise Refused(401, "invalid_token", "The session has ended.")
    if claims.client_id is not None:
        raise Refused(403, "permission_denied", "Machine clients have no orders to follow.")
    return claims


def check_origin(scope: dict[str, Any]) -> None:
    """Refuse what a page of another site opens.

    A browser always says where its page is from (RFC 6455, 10.2), and can show a token in the
    subprotocol alone. A client without an origin is none, so it must show its token otherwise.

    Raises:
        Refused: the page is not ours.
    """
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    by_browser = any(each.startswith(TOKEN_PREFIX) for each in scope["subprotocols"])
    if origin is None and not by_browser:
        return
    # A proxy in front may have ended TLS.
    host = headers.get(b"host", b"")
    if origin not in {b"http://" + host, b"https://" + host}:
        raise Refused(403, "foreign_origin", "Sockets are opened by pages of this shop.")


def bearer_token(scope: dict[str, Any]) -> str:
    """Return the token of the Authorization header.

    Raises:
        Refused: there is none.
    """
    header = dict(scope["headers"]).get(b"authorization", b"")
    credentials = CREDENTIALS.fullmatch(header)
    if credentials is None:
        raise Refused(401, "not_authenticated", "Open it with an access token.")
    return credentials[1].decode("ascii")
