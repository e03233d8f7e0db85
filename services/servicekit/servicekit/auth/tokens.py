"""Access tokens, verified without asking anybody: ES256, `typ: at+jwt` (RFC 9068), as strict as RFC 8725 advises.

The gateway checks the same in gateway/njs/claims.js: change both.
"""

import base64
import binascii
import hashlib
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from jwt import InvalidTokenError, PyJWS

from servicekit.auth import jwks
from servicekit.http import strict_json

LEEWAY_SECONDS = 5
#: What users issues; a token that claims more is a fault of its issuer. Revocations are kept as long.
LONGEST_LIFE_SECONDS = 300
MAX_TOKEN_BYTES = 8192
MAX_CACHED_TOKENS = 4096
STRUCTURE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
LOWER_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Each of these asks the reader to trust or do something that the header's writer chose.
FORBIDDEN_HEADERS = frozenset({"crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"})


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says. Nothing else in it is ever used."""

    subject: UUID
    roles: frozenset[str]
    session_id: UUID
    token_id: str
    issued_at: int
    expires_at: int
    email_verified: bool


class InvalidToken(Exception):
    """The token proves nothing. `code` is for logs; the client learns only whether it has expired."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def verify(token: str) -> Claims:
    """Return what the token says.

    Raises:
        InvalidToken: it is malformed, forged, of another kind, for somebody else, expired or not yet valid.
        KeysUnavailable: no key set was ever had, so nobody can tell.
    """
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise InvalidToken("malformed")
    generation = jwks.generation()
    digest = hashlib.sha256(token.encode()).digest()
    claims = _verified.get(digest, generation)
    if claims is None:
        claims = _verify(token)
        _verified.put(digest, generation, claims)
    if claims.expires_at + LEEWAY_SECONDS <= time.time():
        raise InvalidToken("expired")
    return claims


def forget_verified() -> None:
    """Drop the memory of good tokens (for tests; a changed key set drops it anyway)."""
    _verified.clear()


class _VerifiedTokens:
    """The last good tokens of this process by their hash; a changed key set makes them strangers again."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, tuple[int, Claims]] = OrderedDict()

    def get(self, digest: bytes, generation: int) -> Claims | None:
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None or entry[0] != generation:
                return None
            self._entries.move_to_end(digest)
            return entry[1]

    def put(self, digest: bytes, generation: int, claims: Claims) -> None:
        with self._lock:
            self._entries[digest] = (generation, claims)
            self._entries.move_to_end(digest)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


_verified = _VerifiedTokens(MAX_CACHED_TOKENS)
_signatures = PyJWS(algorithms=["ES256"])


def _verify(token: str) -> Claims:
    parts = STRUCTURE.fullmatch(token)
    if parts is None:
        raise InvalidToken("malformed")
    header = _json_object(parts[1])
    _check_header(header)
    payload = _json_object(parts[2])
    if len(_base64url(parts[3])) != 64:
        raise InvalidToken("signature")
    key = jwks.find(header["kid"])
    if key is None:
        raise InvalidToken("key")
    try:
        _signatures.decode(token, key, algorithms=["ES256"])
    except (InvalidTokenError, ValueError, TypeError):
        raise InvalidToken("signature") from None
    return _claims(payload, time.time())


def _base64url(text: str) -> bytes:
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise InvalidToken("malformed") from None
    # The last character has unused bits: several spellings decode alike, and only one of them was signed.
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != text:
        raise InvalidToken("malformed")
    return decoded


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(_base64url(text))
    except strict_json.InvalidJson:
        raise InvalidToken("malformed") from None
    if not isinstance(value, dict):
        raise InvalidToken("malformed")
    return value


def _check_header(header: dict[str, Any]) -> None:
    kid = header.get("kid")
    if header.get("alg") != "ES256":
        raise InvalidToken("algorithm")
    if header.get("typ") != "at+jwt":
        raise InvalidToken("type")
    if not FORBIDDEN_HEADERS.isdisjoint(header):
        raise InvalidToken("header")
    if not isinstance(kid, str) or not 0 < len(kid) <= jwks.MAX_KEY_ID_LENGTH:
        raise InvalidToken("key")


def _claims(payload: dict[str, Any], now: float) -> Claims:
    if payload.get("iss") != settings.TOKEN_ISSUER:
        raise InvalidToken("issuer")
    if not _is_for_us(payload.get("aud")):
        raise InvalidToken("audience")
    issued_at, expires_at = _times(payload, now)
    return Claims(
        subject=_uuid(payload, "sub"),
        roles=_roles(payload.get("roles")),
        session_id=_uuid(payload, "sid"),
        token_id=_filled(payload.get("jti"), "token_id"),
        issued_at=issued_at,
        expires_at=expires_at,
        email_verified=payload.get("email_verified") is True,
    )


def _is_for_us(audience: Any) -> bool:
    if isinstance(audience, list):
        return settings.TOKEN_AUDIENCE in audience and all(
            isinstance(name, str) and name for name in audience
        )
    return bool(audience == settings.TOKEN_AUDIENCE)


def _times(payload: dict[str, Any], now: float) -> tuple[int, int]:
    issued_at, not_before, expires_at = (_seconds(payload.get(name)) for name in ("iat", "nbf", "exp"))
    if expires_at + LEEWAY_SECONDS <= now:
        raise InvalidToken("expired")
    if max(issued_at, not_before) > now + LEEWAY_SECONDS:
        raise InvalidToken("not_yet_valid")
    if not 0 < expires_at - issued_at <= LONGEST_LIFE_SECONDS:
        raise InvalidToken("time")
    return issued_at, expires_at


def _seconds(value: Any) -> int:
    if type(value) is not int or not 0 < value < 2**53:
        raise InvalidToken("time")
    return value


def _uuid(payload: dict[str, Any], name: str) -> UUID:
    value = payload.get(name)
    if not isinstance(value, str) or not LOWER_UUID.fullmatch(value):
        raise InvalidToken("subject" if name == "sub" else "session")
    return UUID(value)


def _roles(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise InvalidToken("roles")
    return frozenset(_filled(role, "roles") for role in value)


def _filled(value: Any, code: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise InvalidToken(code)
    return value
