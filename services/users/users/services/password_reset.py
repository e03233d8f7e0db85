"""Set a new password by a mailed token, without the old one."""

from typing import Unpack

from django.contrib.auth.hashers import make_password
from django.db import transaction

from users.errors import UnusableToken
from users.models import Account, MailRequest
from users.services import account_mails, login_attempts, mail_limits, mail_tokens, security_log
from users.services.mail_tokens import Purpose
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions
from users.services.verification import mark_verified


def ask(*, email: str, source: str) -> None:
    """Note that a mail with a token was asked for; mail_requests answers.

    The same statements run whether or not the address has an account, and whatever its state.

    Raises:
        InvalidEmail: the address is not usable.
    """
    address = Account.objects.normalize_email(email)
    if mail_limits.is_allowed(email=address, source=source):
        MailRequest.objects.create(purpose=MailRequest.Purpose.PASSWORD_RESET, email=address)


def account_of(*, token: str) -> Account:
    """Return the account whose password the token may set.

    Raises:
        UnusableToken: it may set none.
    """
    return mail_tokens.find(token=token, purpose=Purpose.PASSWORD_RESET).account


def confirm(*, token: str, password: str, **origin: Unpack[Origin]) -> None:
    """Set the password, end every session, and tell the owner.

    Who has the token reads the mails to the address: it is verified, and its tries at a password
    from this source are forgiven.

    Raises:
        UnusableToken: it may set no password.
    """
    # No lock is held across hashing, and nothing is hashed for a token that was made up.
    account_of(token=token)
    hashed = make_password(password)
    with transaction.atomic():
        found, account = mail_tokens.spend(token=token, purpose=Purpose.PASSWORD_RESET)
        if account.email != found.email:
            raise UnusableToken
        account.password = hashed
        account.save(update_fields=["password"])
        end_sessions(account=account, reason="password")
        mark_verified(account=account)
        mail_tokens.withdraw(account=account)
        account_mails.tell_password_changed(account=account)
        security_log.record(Kind.PASSWORD_RESET, account_id=account.pk, **origin)
    source = origin.get("source", login_attempts.UNKNOWN)
    login_attempts.forgive(email=account.email, source=source)
