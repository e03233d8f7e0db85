"""Access tokens: simplejwt's token class with our claims, verified without asking anybody.

A process remembers the tokens that it has found good, so that a client's next request costs no
signature check; the time of a remembered token is looked at again.
"""

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from rest_framework_simplejwt.tokens import Token
from uuid_utils.compat import uuid7

from servicekit.auth import jwks
from servicekit.auth.backend import InvalidToken, RingBackend
from servicekit.auth.token_rules import (
    LEEWAY_SECONDS,
    LONGEST_LIFE_SECONDS,
    MACHINE,
    MAX_TEXT_LENGTH,
    MAX_TOKEN_BYTES,
    SCOPES,
)
from servicekit.conf import kit_settings

__all__ = ["AccessToken", "Claims", "InvalidToken", "forget_verified", "verified"]

MAX_CACHED_TOKENS = 4096
LOWER_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


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
    #: The machine client that calls, which is the subject as well; None for a person.
    client_id: UUID | None = None
    scopes: frozenset[str] = frozenset()


class AccessToken(Token):
    """An access token: `AccessToken(text)` verifies a text, `str(AccessToken.for_session(…))`
    issues a new token.
    """

    token_type = "access"  # noqa: S105 - a kind, no secret
    lifetime = timedelta(seconds=LONGEST_LIFE_SECONDS)
    claims: Claims
    _token_backend = RingBackend()

    @classmethod
    def for_session(
        cls,
        *,
        subject: UUID,
        session_id: UUID,
        roles: Iterable[str],
        email_verified: bool,
        amr: Iterable[str] = ("pwd",),
    ) -> Self:
        """Return a new token of a session, which lives `token_life_seconds`.

        `amr` says how its bearer logged in (RFC 8176); no service of ours reads it.
        """
        claims = {
            "roles": list(roles),
            "email_verified": email_verified,
            "amr": list(amr),
        }
        return cls._issued(subject, session_id, claims)

    @classmethod
    def for_client(cls, *, client_id: UUID, session_id: UUID, scopes: Iterable[str]) -> Self:
        """Return a new token of a machine client (RFC 9068), which lives as long."""
        claims = {
            "client_id": str(client_id),
            "scope": " ".join(sorted(scopes)),
            "roles": [MACHINE],
        }
        return cls._issued(client_id, session_id, claims)

    @classmethod
    def _issued(cls, subject: UUID, session_id: UUID, claims: dict[str, Any]) -> Self:
        token = cls()
        now = int(time.time())
        # Not simplejwt's own `token_type` and hexadecimal `jti`: the header says what the token is.
        token.payload = {
            "sub": str(subject),
            "iat": now,
            "nbf": now,
            "exp": now + kit_settings.token_life_seconds,
            "jti": str(uuid7()),
            "sid": str(session_id),
            **claims,
        }
        return token

    def verify(self) -> None:
        """Check the claims, after the backend has checked form, header and signature.

        Raises:
            InvalidToken: a claim is missing or wrong, or the token has expired or is not yet valid.
        """
        self.claims = _claims(self.payload, time.time())


def verified(token: str) -> AccessToken:
    """Return a good token, from memory if it was found good before.

    Raises:
        InvalidToken: it is malformed, forged, of another kind, for somebody else, expired or not
            yet valid.
        KeysUnavailable: no key set was ever had, so nobody can tell.
    """
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise InvalidToken("malformed")
    generation = jwks.generation()
    digest = hashlib.sha256(token.encode()).digest()
    access = _verified.get(digest, generation)
    if access is None:
        access = AccessToken(token)  # type: ignore[arg-type]  # simplejwt's hint says Token
        _verified.put(digest, generation, access)
    if access.claims.expires_at + LEEWAY_SECONDS <= time.time():
        raise InvalidToken("expired")
    return access


def forget_verified() -> None:
    """Drop the memory of good tokens (for tests; a changed key set drops it anyway)."""
    _verified.clear()


class _VerifiedTokens:
    """The last good tokens of this process by their hash; a changed key set makes all unknown."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, tuple[int, AccessToken]] = OrderedDict()

    def get(self, digest: bytes, generation: int) -> AccessToken | None:
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None or entry[0] != generation:
                return None
            self._entries.move_to_end(digest)
            return entry[1]

    def put(self, digest: bytes, generation: int, token: AccessToken) -> None:
        with self._lock:
            self._entries[digest] = (generation, token)
            self._entries.move_to_end(digest)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


_verified = _VerifiedTokens(MAX_CACHED_TOKENS)


def _claims(payload: dict[str, Any], now: float) -> Claims:
    if payload.get("iss") != kit_settings.token_issuer:
        raise InvalidToken("issuer")
    if not _is_for_us(payload.get("aud")):
        raise InvalidToken("audience")
    issued_at, expires_at = _times(payload, now)
    subject, roles = _uuid(payload, "sub"), _roles(payload.get("roles"))
    client_id, scopes = _client(payload, roles)
    return Claims(
        subject=subject,
        roles=roles,
        session_id=_uuid(payload, "sid"),
        token_id=_text(payload.get("jti"), "token_id"),
        issued_at=issued_at,
        expires_at=expires_at,
        email_verified=payload.get("email_verified") is True,
        client_id=client_id,
        scopes=scopes,
    )


def _is_for_us(audience: Any) -> bool:
    if isinstance(audience, list):
        return kit_settings.token_audience in audience and all(
            isinstance(name, str) and name for name in audience
        )
    return bool(audience == kit_settings.token_audience)


def _times(payload: dict[str, Any], now: float) -> tuple[int, int]:
    issued_at, not_before, expires_at = (
        _seconds(payload.get(name)) for name in ("iat", "nbf", "exp")
    )
    if expires_at + LEEWAY_SECONDS <= now:
        raise InvalidToken("expired")
    if max(issued_at, not_before) > now + LEEWAY_SECONDS:
        raise InvalidToken("not_yet_valid")
    if not 0 < expires_at - issued_at <= LONGEST_LIFE_SECONDS:
        raise InvalidToken("time")
    return issued_at, expires_at


def _seconds(value: Any) -> int:
    # JSON numbers beyond 2^53 are not exact in every reader (RFC 8259, section 6).
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
    return frozenset(_text(role, "roles") for role in value)


def _client(payload: dict[str, Any], roles: frozenset[str]) -> tuple[UUID | None, frozenset[str]]:
    """Return the machine client and its scopes; a person has neither, whatever `scope` says.

    A client has no role beside its own, so no mistake in users makes a machine staff.
    """
    if "client_id" not in payload:
        if MACHINE in roles:
            raise InvalidToken("client")
        return None, frozenset()
    scope = _text(payload.get("scope"), "client")
    is_sound = payload["client_id"] == payload["sub"] and payload["roles"] == [MACHINE]
    if not is_sound or not re.fullmatch(SCOPES, scope):
        raise InvalidToken("client")
    return UUID(payload["sub"]), frozenset(scope.split(" "))


def _text(value: Any, code: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_LENGTH:
        raise InvalidToken(code)
    return value
