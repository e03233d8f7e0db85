"""Access tokens as the users service issues them, and whatever else a test wants signed."""

import base64
import hashlib
import json
import time
import uuid
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class Signer:
    """A P-256 key with its RFC 7638 thumbprint as id."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        point = self.key.public_key().public_numbers()
        self.x, self.y = (encode(number.to_bytes(32, "big")) for number in (point.x, point.y))
        members = {"crv": "P-256", "kty": "EC", "x": self.x, "y": self.y}
        self.kid = encode(hashlib.sha256(compact(members)).digest())

    def jwk(self) -> dict[str, str]:
        return {
            "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y,
            "kid": self.kid, "alg": "ES256", "use": "sig",
        }  # fmt: skip

    def header(self, **overrides: Any) -> dict[str, Any]:
        return _without_none({"alg": "ES256", "typ": "at+jwt", "kid": self.kid} | overrides)

    def signature(self, signed: str) -> bytes:
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def mirrored(self, token: str) -> str:
        """The other signature of the same token: of an ECDSA signature (r, s), (r, n - s) is as good."""
        signed, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        s = CURVE_ORDER - int.from_bytes(raw[32:], "big")
        return f"{signed}.{encode(raw[:32] + s.to_bytes(32, 'big'))}"

    def seal(self, header: bytes, payload: bytes) -> str:
        signed = f"{encode(header)}.{encode(payload)}"
        return f"{signed}.{encode(self.signature(signed))}"

    def token(self, header: dict[str, Any] | None = None, **overrides: Any) -> str:
        """A good token; a claim given as None is left out."""
        return self.seal(compact(self.header(**(header or {}))), compact(claims(**overrides)))


def claims(**overrides: Any) -> dict[str, Any]:
    now = int(time.time())
    return _without_none(
        {
            "iss": "souk", "aud": "souk", "sub": str(uuid.uuid4()), "sid": str(uuid.uuid4()), "jti": str(uuid.uuid4()),
            "iat": now, "nbf": now, "exp": now + 300, "roles": ["customer"], "email_verified": True,
        }
        | overrides
    )  # fmt: skip


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def key_set(*signers: Signer) -> bytes:
    return compact({"keys": [signer.jwk() for signer in signers]})
