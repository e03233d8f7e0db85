"""The mails about an account, each written in the transaction of what it tells.

Each cause names the account, whichever address the mail goes to: with the account its mails are
withdrawn.
"""

from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from servicekit.mails import writing
from users.models import Account, MailToken, Registration
from users.services import mail_tokens
from users.services.mail_tokens import LIVES, Purpose

#: Whom it reaches later, a notice would only frighten.
NOTICE_LIFE = timedelta(days=3)


def send_verification(*, account: Account) -> None:
    """Mail a token that confirms the account's address."""
    row, token = mail_tokens.issue(
        account=account, purpose=Purpose.EMAIL_VERIFICATION, email=account.email
    )
    _write_token(row, token, account)


def send_password_reset(*, account: Account) -> None:
    """Mail a token that sets a new password."""
    row, token = mail_tokens.issue(
        account=account, purpose=Purpose.PASSWORD_RESET, email=account.email
    )
    _write_token(row, token, account)


def send_email_change(*, account: Account, email: str, session_id: UUID | None) -> None:
    """Mail a token to the new address that an account asked for."""
    row, token = mail_tokens.issue(
        account=account, purpose=Purpose.EMAIL_CHANGE, email=email, session_id=session_id
    )
    _write_token(row, token, account)


def send_registration(*, registration: Registration, token: str, life: timedelta) -> None:
    """Mail a token that opens an account.

    Nothing that was typed into the registration is in it: strangers would write to strangers.
    """
    writing.write(
        cause=f"registration:{registration.pk}",
        kind="users/mails/registration",
        recipient=registration.email,
        language=registration.language,
        context={"name": "", "token": token, "hours": int(life / timedelta(hours=1))},
        useful_for=life,
    )


def tell_registration_taken(*, owner: Account) -> None:
    """Tell the owner of an address that somebody asked for an account with it."""
    _write_notice("registration_taken", owner, to=owner.email)


def tell_email_taken(*, owner: Account) -> None:
    """Tell the owner of an address that somebody wanted it for another account."""
    _write_notice("email_taken", owner, to=owner.email)


def tell_email_change_asked(*, account: Account, new: str) -> None:
    """Tell the old address that a new one was asked for."""
    _write_notice("email_change_asked", account, to=account.email, new_email=new)


def tell_email_changed(*, account: Account, old: str) -> None:
    """Tell the old address that it is the account's no more."""
    _write_notice("email_changed", account, to=old, new_email=account.email)


def tell_password_changed(*, account: Account) -> None:
    """Tell the account's owner that it has a new password."""
    _write_notice("password_changed", account, to=account.email)


def tell_second_factor_changed(*, account: Account, change: str) -> None:
    """Tell the account's owner of a second factor that came or went; `change` names the mail."""
    _write_notice(change, account, to=account.email)


def language_of(account: Account) -> str:
    """Return the language in which an account is written to."""
    return account.language


def _write_token(row: MailToken, token: str, account: Account) -> None:
    purpose = Purpose(row.purpose)
    writing.write(
        cause=f"{purpose}:{account.pk}:{row.pk}",
        kind=f"users/mails/{purpose}",
        recipient=row.email,
        language=language_of(account),
        context={
            "name": account.name,
            "token": token,
            "hours": int(LIVES[purpose] / timedelta(hours=1)),
        },
        useful_for=LIVES[purpose],
    )


def _write_notice(kind: str, account: Account, *, to: str, **more: str) -> None:
    """Write a notice; whoever calls does so once for each change, in its transaction."""
    writing.write(
        cause=f"{kind}:{account.pk}:{uuid7()}",
        kind=f"users/mails/{kind}",
        recipient=to,
        language=language_of(account),
        context={"name": account.name, **more},
        useful_for=NOTICE_LIFE,
    )
