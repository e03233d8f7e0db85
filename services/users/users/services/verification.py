"""Confirm that an account's address is its owner's."""

from uuid import UUID

from django.db import transaction

from users.errors import EmailVerified, UnusableToken
from users.models import Account
from users.services import account_mails, mail_limits, mail_tokens
from users.services.account_events import publish_state
from users.services.mail_tokens import Purpose


def ask(*, account_id: UUID, source: str) -> None:
    """Mail the account a token that confirms its address; not more than a few an hour.

    Raises:
        EmailVerified: there is nothing to confirm.
    """
    account = Account.objects.get(pk=account_id)
    if account.email_verified:
        raise EmailVerified
    if mail_limits.is_allowed(email=account.email, source=source):
        with transaction.atomic():
            account_mails.send_verification(account=account)


def confirm(*, token: str) -> None:
    """Note that the account's address is verified, and publish UserUpdated if that is new.

    Raises:
        UnusableToken: it confirms no address that an account has.
    """
    with transaction.atomic():
        found, account = mail_tokens.spend(token=token, purpose=Purpose.EMAIL_VERIFICATION)
        if account.email != found.email:
            raise UnusableToken
        mark_verified(account=account)


def mark_verified(*, account: Account) -> None:
    """Note it for a locked account whose owner has read a mail to its address."""
    if not account.email_verified:
        account.email_verified = True
        account.version += 1
        account.save(update_fields=["email_verified", "version"])
        publish_state(account)
