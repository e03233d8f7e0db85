"""Tokens that are mailed: random, stored by their hash, good once, for one purpose and for a while.

`spend` decides in the transaction of what the token allows: of two requests with the same token,
the second finds none.
"""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from users.errors import UnusableToken
from users.models import Account, MailToken

Purpose = MailToken.Purpose
LIVES = {
    Purpose.EMAIL_VERIFICATION: timedelta(days=3),
    Purpose.PASSWORD_RESET: timedelta(hours=1),
    Purpose.EMAIL_CHANGE: timedelta(hours=1),
}


def issue(
    *, account: Account, purpose: Purpose, email: str, session_id: UUID | None = None
) -> tuple[MailToken, str]:
    """Make a token that proves who reads the mails to `email`; return its row, and the token."""
    token = new_token()
    row = MailToken.objects.create(
        account=account,
        purpose=purpose,
        digest=digest_of(token),
        email=email,
        session_id=session_id,
        expires_at=timezone.now() + LIVES[purpose],
    )
    return row, token


def find(*, token: str, purpose: Purpose) -> MailToken:
    """Return the row of a token that could be spent now, with its account.

    Raises:
        UnusableToken: it is unknown, spent, expired, or for something else.
    """
    rows = MailToken.objects.filter(
        digest=digest_of(token),
        purpose=purpose,
        expires_at__gt=timezone.now(),
        account__is_active=True,
    )
    found = rows.select_related("account").first()
    if found is None:
        raise UnusableToken
    return found


def spend(*, token: str, purpose: Purpose) -> tuple[MailToken, Account]:
    """Spend a token in the caller's transaction; return its row, and its account, locked.

    Raises:
        UnusableToken: it is unknown, spent, expired, or for something else; or its account is
            deactivated.
    """
    found = find(token=token, purpose=purpose)
    # The account first, as everybody does who changes it.
    locked = Account.objects.select_for_update().filter(pk=found.account_id, is_active=True).first()
    is_spent, _ = MailToken.objects.filter(pk=found.pk).delete()
    if locked is None or not is_spent:
        raise UnusableToken
    return found, locked


def withdraw(*, account: Account, purposes: tuple[Purpose, ...] = tuple(Purpose)) -> None:
    """Delete the tokens of an account: what they proved, or were asked for with, has changed."""
    MailToken.objects.filter(account=account, purpose__in=purposes).delete()


def new_token() -> str:
    """Return 256 random bits, in 43 characters."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """Return the hash by which a token is stored."""
    return hashlib.sha256(token.encode()).digest()
