"""Change an account's address: the new one confirms, the old one is told."""

from typing import Unpack
from uuid import UUID

from django.db import IntegrityError, transaction

from users.errors import EmailTaken, SameEmail
from users.models import Account, MailRequest
from users.services import account_mails, login_attempts, mail_limits, mail_tokens, security_log
from users.services.account_events import publish_state
from users.services.accounts import confirm_password
from users.services.mail_tokens import Purpose
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions


def ask(
    *,
    account_id: UUID,
    password: str,
    email: str,
    session_id: UUID | None,
    **origin: Unpack[Origin],
) -> None:
    """Note the wish, which mail_requests answers by mail to both addresses.

    Whether the new address has an account is not told, nor does the time taken tell it.

    Raises:
        InvalidEmail: the new address is not usable.
        TooManyAttempts: the password was guessed at too often.
        WrongPassword: `password` is not the account's.
        SameEmail: the account has that address.
    """
    new = Account.objects.normalize_email(email)
    account = confirm_password(account_id=account_id, password=password, **origin)
    if new == account.email:
        raise SameEmail
    source = origin.get("source", login_attempts.UNKNOWN)
    addresses = (account.email, new)
    if all(mail_limits.is_allowed(email=each, source=source) for each in addresses):
        MailRequest.objects.create(
            purpose=MailRequest.Purpose.EMAIL_CHANGE,
            email=new,
            account=account,
            session_id=session_id,
        )


def confirm(*, token: str, **origin: Unpack[Origin]) -> None:
    """Give the account the address that the token was mailed to, and publish UserUpdated.

    Every session ends but that which asked; the old address is told.

    Raises:
        UnusableToken: it gives no account an address.
        EmailTaken: another account got the address meanwhile; its owner is who reads this.
    """
    try:
        with transaction.atomic():
            found, account = mail_tokens.spend(token=token, purpose=Purpose.EMAIL_CHANGE)
            old, account.email = account.email, found.email
            account.email_verified = True
            account.version += 1
            account.save(update_fields=["email", "email_verified", "version"])
            end_sessions(account=account, reason="email", except_session=found.session_id)
            mail_tokens.withdraw(account=account)
            publish_state(account)
            account_mails.tell_email_changed(account=account, old=old)
            login_attempts.forget(email=old)
            security_log.record(Kind.EMAIL_CHANGED, account_id=account.pk, **origin)
    except IntegrityError as error:
        if "email" not in str(error):
            raise
        raise EmailTaken from error
