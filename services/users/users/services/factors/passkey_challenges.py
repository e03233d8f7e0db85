"""Challenges for passkeys: signed and dated by us, kept by nobody until they are answered.

So whoever asks for a million of them writes no row. What a challenge is for is part of its
signature, and so are the account's password and whether it had a second factor: a change of
either ends it.
"""

import hashlib
import secrets
from enum import StrEnum

from django.core.signing import BadSignature, TimestampSigner
from django.db import connection

from users.models import Account
from users.services.factors import second_factor_codes
from users.services.factors.relying_party import LIFE, PasskeyRefused

SPEND = "INSERT INTO spent_passkey_challenge (digest) VALUES (%s) ON CONFLICT DO NOTHING"


class Purpose(StrEnum):
    """What the answer will do."""

    REGISTRATION = "registration"
    PROOF = "proof"
    LOG_IN = "log_in"


def issue(purpose: Purpose, *, account: Account | None = None) -> bytes:
    """Return a new challenge to an account, or to whoever wants to log in."""
    return _signer(purpose, account).sign(secrets.token_urlsafe(16)).encode()


def spend(challenge: bytes, purpose: Purpose, *, account: Account | None = None) -> None:
    """Use a challenge up, in the caller's transaction, which a refusal by something else undoes.

    Of two requests with one challenge, the second waits for the first and finds it spent.

    Raises:
        PasskeyRefused: it is not ours, not for this, not of this account, too old, or was spent.
    """
    try:
        _signer(purpose, account).unsign(challenge.decode("ascii"), max_age=LIFE)
    except (BadSignature, UnicodeDecodeError) as error:
        raise PasskeyRefused from error
    with connection.cursor() as cursor:
        cursor.execute(SPEND, [hashlib.sha256(challenge).digest()])
        if not cursor.rowcount:
            raise PasskeyRefused


def _signer(purpose: Purpose, account: Account | None) -> TimestampSigner:
    words = ["passkeys", purpose.value]
    if account is not None:
        is_on = second_factor_codes.is_on(account)
        words += [
            str(account.pk),
            str(is_on),
            hashlib.sha256(account.password.encode()).hexdigest(),
        ]
    return TimestampSigner(salt=":".join(words))
