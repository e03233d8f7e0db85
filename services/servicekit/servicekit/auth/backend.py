"""simplejwt's token backend over our key ring: ES256, `kid`, `typ: at+jwt` (RFC 9068).

Stock simplejwt signs with one key of the settings and writes no `kid`, and its `PyJWKClient`
forgets the last good key set (docs/adr/0010-own-refresh-tokens.md). Verification is as strict as
RFC 8725 advises.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils.module_loading import import_string
from jwt import InvalidTokenError, PyJWS
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError

from servicekit.auth import jwks
from servicekit.auth.token_rules import (
    FORBIDDEN_HEADERS,
    LEEWAY_SECONDS,
    MAX_KEY_ID_LENGTH,
    MAX_MEMBERS,
    MAX_TOKEN_BYTES,
)
from servicekit.conf import kit_settings
from servicekit.http import strict_json

ALGORITHM, TOKEN_TYPE = "ES256", "at+jwt"
SIGNATURE_BYTES = 64
STRUCTURE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class InvalidToken(TokenError):
    """The token proves nothing. `code` is for logs; clients learn only whether it has expired."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs now, and the id under which verifiers find its public half."""

    kid: str
    key: ec.EllipticCurvePrivateKey


class RingBackend(TokenBackend):
    """Signs with the ring's current key and verifies with any key that is published."""

    def __init__(self) -> None:
        super().__init__(ALGORITHM, leeway=LEEWAY_SECONDS)
        self._signatures = PyJWS(algorithms=[ALGORITHM])

    def encode(self, payload: dict[str, Any]) -> str:
        """Return the signed token of these claims, with our issuer and audience.

        The setting `token_signer` names the function that returns the signing key; only users has
        one.
        """
        signer: Callable[[], SigningKey] = import_string(kit_settings.token_signer)
        current = signer()
        claims = {
            "iss": kit_settings.token_issuer,
            "aud": kit_settings.token_audience,
            **payload,
        }
        headers = {"kid": current.kid, "typ": TOKEN_TYPE}
        return jwt.encode(claims, current.key, algorithm=ALGORITHM, headers=headers)

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """Return the payload of a token whose form, header and signature are good.

        Raises:
            InvalidToken: it is malformed, forged, or signed by a key that is not published.
            KeysUnavailable: no key set was ever had, so nobody can tell.
        """
        header, payload = _read(token)
        _check_header(header)
        if verify:
            self._check_signature(token, header)
        return payload

    def get_verifying_key(self, token: Any) -> ec.EllipticCurvePublicKey:
        """Return the published key that the token's header names.

        Raises:
            InvalidToken: no published key has that id.
        """
        return self._published_key(_read(token)[0])

    def _check_signature(self, token: str, header: dict[str, Any]) -> None:
        # Before the key is looked for: an unknown id may have the key set fetched anew.
        if len(_decoded(token.rpartition(".")[2])) != SIGNATURE_BYTES:
            raise InvalidToken("signature")
        key = self._published_key(header)
        try:
            self._signatures.decode(token, key, algorithms=[ALGORITHM])
        except (InvalidTokenError, ValueError, TypeError):
            raise InvalidToken("signature") from None

    def _published_key(self, header: dict[str, Any]) -> ec.EllipticCurvePublicKey:
        key = jwks.find(header["kid"])
        if key is None:
            raise InvalidToken("key")
        return key


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and payload; nothing of them is proved yet."""
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidToken("malformed")
    parts = STRUCTURE.fullmatch(token)
    if parts is None:
        raise InvalidToken("malformed")
    return _json_object(parts[1]), _json_object(parts[2])


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(_decoded(text))
    except strict_json.InvalidJson:
        raise InvalidToken("malformed") from None
    if not isinstance(value, dict) or len(value) > MAX_MEMBERS:
        raise InvalidToken("malformed")
    return value


def _decoded(text: str) -> bytes:
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise InvalidToken("malformed") from None
    # The last character has unused bits: several spellings decode alike, and only one was signed.
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != text:
        raise InvalidToken("malformed")
    return decoded


def _check_header(header: dict[str, Any]) -> None:
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM:
        raise InvalidToken("algorithm")
    if header.get("typ") != TOKEN_TYPE:
        raise InvalidToken("type")
    if not FORBIDDEN_HEADERS.isdisjoint(header):
        raise InvalidToken("header")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_ID_LENGTH:
        raise InvalidToken("key")
