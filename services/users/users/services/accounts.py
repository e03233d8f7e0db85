"""Every write to accounts. Sessions and tokens: sessions.py; the key ring: signing_keys.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Unpack
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils import timezone

from servicekit.messaging.outbox import publish
from users.errors import EmailTaken, WrongPassword
from users.events import UserDeactivated, UserRegistered
from users.models import Account
from users.roles import ADMIN
from users.services import account_mails, login_attempts, mail_tokens, security_log
from users.services.account_events import publish_state
from users.services.mail_tokens import Purpose
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions

#: What a new password makes worthless.
AFTER_THE_PASSWORD = (Purpose.PASSWORD_RESET, Purpose.EMAIL_CHANGE)


def register(
    *, email: str, password: str | None, name: str = "", is_asked_to_verify: bool = True
) -> Account:
    """Create an account and publish UserRegistered; without a password it cannot log in.

    A mail asks its owner to verify the address, unless operators make the account.

    Raises:
        InvalidEmail: the address is not usable.
        EmailTaken: the address has an account.
    """
    account = _prepared(Account(name=name), email, password)
    with creating(account):
        if is_asked_to_verify:
            account_mails.send_verification(account=account)
    return account


def register_for(
    *, email: str, password: str, name: str = "", by: UUID, **origin: Unpack[Origin]
) -> Account:
    """Create an account for somebody whose address is known to be theirs; `by` is the admin.

    Raises:
        InvalidEmail: the address is not usable.
        EmailTaken: the address has an account.
    """
    account = _prepared(Account(name=name, email_verified=True), email, password)
    with creating(account):
        security_log.record(Kind.CREATED, account_id=account.pk, by=by, **origin)
    return account


def register_superuser(*, email: str, password: str | None) -> Account:
    """Create an account with every permission of Django and the admin role; publish UserRegistered.

    Raises:
        InvalidEmail: the address is not usable.
        EmailTaken: the address has an account.
    """
    account = _prepared(Account(is_staff=True, is_superuser=True), email, password)
    with creating(account):
        account.groups.add(Group.objects.get_or_create(name=ADMIN)[0])
    return account


@contextmanager
def creating(account: Account) -> Iterator[None]:
    """Insert an account, run the block in the same transaction, and publish UserRegistered.

    Its address is normalised and its password hashed: a hash takes longer than all statements.

    Raises:
        EmailTaken: the address has an account.
    """
    try:
        with transaction.atomic():
            account.save(force_insert=True)
            account.refresh_from_db(fields=["registered_at"])
            yield
            event = UserRegistered(
                user_id=account.pk,
                roles=account.roles,
                registered_at=account.registered_at,
            )
            publish(event, subject=str(account.pk), sequence=account.version)
    except IntegrityError as error:
        if "email" not in str(error):
            raise
        raise EmailTaken from error


def change_password(
    *,
    account_id: UUID,
    current: str,
    new: str,
    session_id: UUID | None,
    **origin: Unpack[Origin],
) -> None:
    """Set a new password and end every other session.

    Raises:
        TooManyAttempts: the current password was guessed at too often.
        WrongPassword: `current` is not the account's password.
    """
    # Twice at most: between check and change, a log-in may have renewed the hash.
    for _ in range(2):
        checked = confirm_password(account_id=account_id, password=current, **origin)
        if _replace_password(checked, new, session_id, origin):
            return
    raise WrongPassword


def confirm_password(*, account_id: UUID, password: str, **origin: Unpack[Origin]) -> Account:
    """Return an account, as it was checked, whose owner gave its password again.

    Hashing takes some 20 ms: call it outside of transactions.

    Raises:
        TooManyAttempts: the password was guessed at too often.
        WrongPassword: it is not the account's.
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise WrongPassword  # it was deleted since its owner asked
    source = origin.get("source", login_attempts.UNKNOWN)
    login_attempts.take_try(email=account.email, source=source)
    if not account.check_password(password):
        security_log.count_failed_log_in(email=account.email, **origin)
        raise WrongPassword
    login_attempts.forgive(email=account.email, source=source)
    return account


def set_password(*, account: Account, password: str) -> None:
    """Set a password without asking for the current, as operators may, and end every session."""
    hashed = make_password(password)
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(password=hashed)
        end_sessions(account=account, reason="password")
        security_log.record(Kind.PASSWORD_CHANGED, account_id=account.pk)
        _forget_tokens_and_tell(account)


def deactivate(*, account: Account, by: UUID | None = None, **origin: Unpack[Origin]) -> bool:
    """Refuse the account from now on; return whether that is new.

    Its sessions end, in every service within seconds.
    """
    return _change(account, Kind.DEACTIVATED, {"is_active": False}, by, **origin)


def reactivate(*, account: Account, by: UUID | None = None, **origin: Unpack[Origin]) -> bool:
    """Let a deactivated account log in again; return whether it was deactivated."""
    return _change(account, Kind.REACTIVATED, {"is_active": True}, by, **origin)


#: Why sessions end with what happened to their account.
END_REASONS = {
    Kind.DEACTIVATED: "deactivated",
    Kind.REACTIVATED: "reactivated",
}


def _change(
    account: Account,
    kind: Kind,
    values: dict[str, bool],
    by: UUID | None,
    **origin: Unpack[Origin],
) -> bool:
    """Set columns that tokens depend on and end the sessions; return whether anything changed."""
    with transaction.atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        if all(getattr(locked, name) == value for name, value in values.items()):
            return False
        for name, value in values.items():
            setattr(locked, name, value)
        locked.version += 1
        locked.save(update_fields=[*values, "version"])
        end_sessions(account=locked, reason=END_REASONS[kind])
        security_log.record(kind, account_id=locked.pk, by=by, **origin)
        publish_state(locked)
        if kind == Kind.DEACTIVATED:
            _publish_deactivated(locked)
    return True


def _publish_deactivated(account: Account) -> None:
    event = UserDeactivated(
        user_id=account.pk, version=account.version, deactivated_at=timezone.now()
    )
    publish(event, subject=str(account.pk), sequence=account.version)


def _prepared(account: Account, email: str, password: str | None) -> Account:
    account.email = Account.objects.normalize_email(email)
    account.password = make_password(password)
    return account


def _replace_password(checked: Account, new: str, session_id: UUID | None, origin: Origin) -> bool:
    """Replace the hash that was checked; return False when another took its place meanwhile.

    Hashing takes some 20 ms: no lock is held across it.
    """
    hashed = make_password(new)
    with transaction.atomic():
        rows = Account.objects.filter(pk=checked.pk, password=checked.password)
        if not rows.update(password=hashed):
            return False
        end_sessions(account=checked, reason="password", except_session=session_id)
        security_log.record(Kind.PASSWORD_CHANGED, account_id=checked.pk, **origin)
        _forget_tokens_and_tell(checked)
    return True


def _forget_tokens_and_tell(account: Account) -> None:
    """Who knew the old password may have asked for another address, and may read old mails."""
    mail_tokens.withdraw(account=account, purposes=AFTER_THE_PASSWORD)
    account_mails.tell_password_changed(account=account)
