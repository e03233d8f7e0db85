"""Access tokens for tests, signed with a key of the test run's own."""

import time
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from jwt.algorithms import ECAlgorithm
from uuid_utils.compat import uuid7

KID = "the-test-key"
_key = ec.generate_private_key(ec.SECP256R1())


def jwks() -> dict[str, Any]:
    """Return the key set that verifies these tokens; tests point settings.TOKEN_KEYS here."""
    public = ECAlgorithm(ECAlgorithm.SHA256).to_jwk(_key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": KID, "alg": "ES256", "use": "sig"}]}


def make_token(subject: UUID | None = None, *, roles: tuple[str, ...] = ("customer",), **claims: Any) -> str:
    """Return a good token of `subject`; `claims` replace what it says."""
    now = int(time.time())
    payload = {
        "iss": settings.TOKEN_ISSUER,
        "aud": settings.TOKEN_AUDIENCE,
        "sub": str(subject or uuid7()),
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": str(uuid7()),
        "sid": str(uuid7()),
        "roles": list(roles),
        "email_verified": False,
    }
    return jwt.encode({**payload, **claims}, _key, algorithm="ES256", headers={"kid": KID, "typ": "at+jwt"})
