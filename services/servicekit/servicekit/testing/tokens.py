"""Access tokens for tests, signed with a key of the test run's own: the services' and the
gateway's.
"""

import base64
import hashlib
import json
import time
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from uuid_utils.compat import uuid7

KID = "the-test-key"
ISSUER = AUDIENCE = "souk"
CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def encode(data: bytes) -> str:
    """Return base64url without padding, as tokens are written."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    """Return JSON without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()


class Signer:
    """A P-256 key and what it signs: good tokens, and whatever else a test wants signed."""

    def __init__(self, kid: str = "") -> None:
        """Make a key; its id is its thumbprint (RFC 7638) unless `kid` names it."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        point = self.key.public_key().public_numbers()
        self.x, self.y = (number.to_bytes(32, "big") for number in (point.x, point.y))
        members = {"crv": "P-256", "kty": "EC", "x": encode(self.x), "y": encode(self.y)}
        self.kid = kid or encode(hashlib.sha256(compact(members)).digest())

    def jwk(self, **changed: Any) -> dict[str, Any]:
        """Return the public key as users publishes it."""
        members = {"kty": "EC", "crv": "P-256", "x": encode(self.x), "y": encode(self.y)}
        return {**members, "kid": self.kid, "alg": "ES256", "use": "sig", **changed}

    def header(self, **changed: Any) -> dict[str, Any]:
        """Return a good header; a member given as None is left out."""
        return _without_none({"alg": "ES256", "typ": "at+jwt", "kid": self.kid, **changed})

    def signature(self, signed: bytes) -> bytes:
        """Return r and s of 32 bytes each (RFC 7518, 3.4)."""
        r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def mirrored(self, token: str) -> str:
        """Return the token with its other signature: of an ECDSA signature (r, s), (r, n - s) is as
        good.
        """
        signed, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        s = CURVE_ORDER - int.from_bytes(raw[32:], "big")
        return f"{signed}.{encode(raw[:32] + s.to_bytes(32, 'big'))}"

    def seal(self, header: bytes, payload: bytes) -> str:
        """Return a token of any bytes, well signed."""
        signed = f"{encode(header)}.{encode(payload)}"
        return f"{signed}.{encode(self.signature(signed.encode()))}"

    def token(self, header: dict[str, Any] | None = None, /, **changed: Any) -> str:
        """Return a good token but for the members of header and claims that are given; None leaves
        one out.
        """
        return self.seal(compact(self.header(**(header or {}))), compact(make_claims(**changed)))


def make_claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a good token; a claim given as None is left out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid7()),
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": str(uuid7()),
        "sid": str(uuid7()),
        "roles": ["customer"],
        "email_verified": False,
    }
    return _without_none({**claims, **changed})


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


SIGNER = Signer(KID)


def jwks() -> dict[str, Any]:
    """Return the key set that verifies these tokens; tests name it in `token_keys`."""
    return {"keys": [SIGNER.jwk()]}


def make_token(
    subject: UUID | None = None, *, roles: tuple[str, ...] = ("customer",), **claims: Any
) -> str:
    """Return a good token of `subject`; `claims` replace what it says."""
    return SIGNER.token(sub=str(subject or uuid7()), roles=list(roles), **claims)


def make_client_token(*scopes: str, client_id: UUID | None = None, **claims: Any) -> str:
    """Return a good token of a machine client; `claims` replace what it says."""
    return SIGNER.token(**{**client_claims(*scopes, client_id=client_id), **claims})


def client_claims(*scopes: str, client_id: UUID | None = None) -> dict[str, Any]:
    """Return what a machine client's token says otherwise than a person's."""
    name = str(client_id or uuid7())
    return {
        "sub": name,
        "client_id": name,
        "scope": " ".join(scopes),
        "roles": ["machine"],
        "email_verified": None,
    }


def key_set(*signers: Signer) -> bytes:
    """Return the JWKS of these keys as users would publish it."""
    return compact({"keys": [signer.jwk() for signer in signers]})
