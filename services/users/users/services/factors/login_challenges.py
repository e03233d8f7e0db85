"""Log-ins that wait for the second factor of an account, whose password was right.

The token is random and opaque, stored as its SHA-256, and worth a few tries within minutes.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from users.errors import InvalidChallenge
from users.models import Account, LogInChallenge
from users.services.factors import passkey_proofs
from users.services.factors.relying_party import Json

LIFE = timedelta(minutes=5)
TRIES = 5


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a client gets instead of tokens; `passkey` is for browsers, if the account has one."""

    token: str
    expires_in: int
    passkey: Json | None


def issue(*, account: Account) -> Challenge:
    """Return a new challenge to an account whose password was right."""
    token = secrets.token_urlsafe(32)
    LogInChallenge.objects.create(
        digest=_digest(token),
        account=account,
        password_digest=_digest(account.password),
        expires_at=timezone.now() + LIFE,
        tries_left=TRIES,
    )
    passkey = passkey_proofs.log_in_options(account=account, token=token)
    return Challenge(token, int(LIFE.total_seconds()), passkey)


def email_for(*, token: str) -> str:
    """Return the address of the account that is asked.

    Raises:
        InvalidChallenge: there is no such challenge any more.
    """
    alive = LogInChallenge.objects.filter(digest=_digest(token), expires_at__gt=timezone.now())
    email = alive.values_list("account__email", flat=True).first()
    if email is None:
        raise InvalidChallenge
    return email


def take_try(*, token: str) -> int:
    """Count a try; return how many are left.

    Call it outside of transactions, since a refusal must not undo the count.

    Raises:
        InvalidChallenge: none was left, or there is no such challenge any more.
    """
    open_ = LogInChallenge.objects.filter(
        digest=_digest(token), expires_at__gt=timezone.now(), tries_left__gt=0
    )
    taken = open_.update(tries_left=F("tries_left") - 1)
    left = LogInChallenge.objects.filter(digest=_digest(token)).values_list("tries_left", flat=True)
    if not taken:
        raise InvalidChallenge
    return left.first() or 0


def spend(*, token: str) -> Account:
    """Delete the challenge and return its account, locked; in the caller's transaction.

    Raises:
        InvalidChallenge: it was answered meanwhile, or the account was deactivated or has another
            password.
    """
    row = LogInChallenge.objects.filter(digest=_digest(token)).first()
    rows = Account.objects.select_for_update(no_key=True)
    account = rows.filter(pk=row.account_id, is_active=True).first() if row else None
    if not row or not account or bytes(row.password_digest) != _digest(account.password):
        raise InvalidChallenge
    deleted, _ = LogInChallenge.objects.filter(digest=_digest(token)).delete()
    if not deleted:
        raise InvalidChallenge
    return account


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
