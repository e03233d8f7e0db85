"""Codes of authenticator apps (RFC 6238): six digits that change every 30 seconds.

With the hash and the size of key that every app knows: SHA-1, which is sound in HMAC, and 160 bits
(RFC 4226, section 4).
"""

import base64
import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_BYTES, DIGITS, STEP_SECONDS = 20, 6, 30
HASH = SHA1()  # noqa: S303  # nosec B303: see above
#: Clocks differ and people type slowly: the code before and the code after pass too (section 5.2).
STEPS_AROUND = 1
ISSUER = "Souk"


def new_secret() -> bytes:
    """Return a random secret."""
    return secrets.token_bytes(SECRET_BYTES)


def as_text(secret: bytes) -> str:
    """Return the secret in base32, for whoever types it into the app."""
    return base64.b32encode(secret).decode()


def otpauth_uri(*, secret: bytes, email: str) -> str:
    """Return the address that a client shows as a QR code for the app to scan."""
    return TOTP(secret, DIGITS, HASH, STEP_SECONDS).get_provisioning_uri(email, ISSUER)


def step_at(seconds: float) -> int:
    """Return the time step of a Unix time."""
    return int(seconds // STEP_SECONDS)


def code_of(*, secret: bytes, step: int) -> str:
    """Return the code of a time step."""
    return HOTP(secret, DIGITS, HASH).generate(step).decode()


def step_of(*, secret: bytes, code: str, now: float) -> int | None:
    """Return the time step whose code it is, among those that pass at `now`; or None.

    It takes as long whichever it is.
    """
    current = step_at(now)
    steps = range(current - STEPS_AROUND, current + STEPS_AROUND + 1)
    fitting = [
        step
        for step in steps
        if hmac.compare_digest(code_of(secret=secret, step=step).encode(), code.encode())
    ]
    return fitting[0] if fitting else None
