"""Change an account's address: the new one confirms, the old one is told."""

from uuid import UUID

from django.db import IntegrityError, transaction

from users.errors import EmailTaken, SameEmail, WrongPassword
from users.models import Account, MailRequest
from users.services import account_mails, login_attempts, mail_limits, mail_tokens
from users.services.account_events import publish_updated
from users.services.mail_tokens import Purpose
from users.services.sessions import end_sessions


def ask(
    *, account_id: UUID, password: str, email: str, session_id: UUID | None, source: str
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
    account = Account.objects.get(pk=account_id)
    login_attempts.take_try(email=account.email, source=source)
    if not account.check_password(password):
        raise WrongPassword
    login_attempts.forgive(email=account.email, source=source)
    if new == account.email:
        raise SameEmail
    addresses = (account.email, new)
    if all(mail_limits.is_allowed(email=each, source=source) for each in addresses):
        MailRequest.objects.create(
            purpose=MailRequest.Purpose.EMAIL_CHANGE,
            email=new,
            account=account,
            session_id=session_id,
        )


def confirm(*, token: str) -> None:
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
            publish_updated(account)
            account_mails.tell_email_changed(account=account, old=old)
    except IntegrityError as error:
        if "email" not in str(error):
            raise
        raise EmailTaken from error
