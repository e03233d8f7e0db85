"""Every write to accounts. Sessions and tokens: sessions.py; the key ring: signing_keys.py."""

from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from servicekit.messaging.outbox import publish
from users.errors import EmailTaken, WrongPassword
from users.events import UserRegistered
from users.models import Account
from users.roles import ADMIN
from users.services import account_mails, login_attempts, mail_tokens
from users.services.mail_tokens import Purpose
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
    return _create(email, password, Account(name=name), is_asked_to_verify=is_asked_to_verify)


def register_superuser(*, email: str, password: str | None) -> Account:
    """Create an account with every permission of Django and the admin role; publish UserRegistered.

    Raises:
        InvalidEmail: the address is not usable.
        EmailTaken: the address has an account.
    """
    return _create(email, password, Account(is_staff=True, is_superuser=True))


def rename(*, account_id: UUID, name: str) -> None:
    """Change the name that an account shows."""
    Account.objects.filter(pk=account_id).update(name=name)


def change_password(
    *,
    account_id: UUID,
    current: str,
    new: str,
    session_id: UUID | None,
    source: str = login_attempts.UNKNOWN,
) -> None:
    """Set a new password and end every other session.

    `source` is where the request comes from (api.sources.source_of).

    Raises:
        TooManyAttempts: the current password was guessed at too often.
        WrongPassword: `current` is not the account's password.
    """
    email = Account.objects.values_list("email", flat=True).get(pk=account_id)
    login_attempts.take_try(email=email, source=source)
    # Twice at most: between check and change, a log-in may have renewed the hash.
    changed = _replace_password(account_id, current, new, session_id)
    if not (changed or _replace_password(account_id, current, new, session_id)):
        raise WrongPassword
    login_attempts.forgive(email=email, source=source)


def set_password(*, account: Account, password: str) -> None:
    """Set a password without asking for the current, as operators may, and end every session."""
    hashed = make_password(password)
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(password=hashed)
        end_sessions(account=account, reason="password")
        _forget_tokens_and_tell(account)


def deactivate(*, account: Account) -> bool:
    """Refuse the account from now on; return whether that is new.

    Its sessions end, in every service within seconds.
    """
    return _change(account, reason="deactivated", is_active=False)


def reactivate(*, account: Account) -> bool:
    """Let a deactivated account log in again; return whether it was deactivated."""
    return _change(account, reason="reactivated", is_active=True)


def _change(account: Account, *, reason: str, **values: bool) -> bool:
    """Set columns that tokens depend on and end the sessions; return whether anything changed."""
    with transaction.atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        if all(getattr(locked, name) == value for name, value in values.items()):
            return False
        for name, value in values.items():
            setattr(locked, name, value)
        locked.version += 1
        locked.save(update_fields=[*values, "version"])
        end_sessions(account=locked, reason=reason)
    return True


def _create(
    email: str, password: str | None, account: Account, *, is_asked_to_verify: bool = False
) -> Account:
    account.email = Account.objects.normalize_email(email)
    # Before the transaction: a hash takes longer than all of its statements.
    account.password = make_password(password)
    try:
        with transaction.atomic():
            account.save(force_insert=True)
            account.refresh_from_db(fields=["registered_at"])
            if account.is_staff:
                account.groups.add(Group.objects.get_or_create(name=ADMIN)[0])
            event = UserRegistered(
                user_id=account.pk,
                email=account.email,
                roles=account.roles,
                registered_at=account.registered_at,
            )
            publish(event, subject=str(account.pk), sequence=account.version)
            if is_asked_to_verify:
                account_mails.send_verification(account=account)
    except IntegrityError as error:
        if "email" not in str(error):
            raise
        raise EmailTaken from error
    return account


def _replace_password(account_id: UUID, current: str, new: str, session_id: UUID | None) -> bool:
    """Replace the hash that was checked; return False when another took its place meanwhile.

    Hashing takes some 20 ms: no lock is held across it.

    Raises:
        WrongPassword: `current` is not the account's password.
    """
    account = Account.objects.get(pk=account_id)
    if not account.check_password(current):
        raise WrongPassword
    hashed = make_password(new)
    with transaction.atomic():
        checked = Account.objects.filter(pk=account_id, password=account.password)
        if not checked.update(password=hashed):
            return False
        end_sessions(account=account, reason="password", except_session=session_id)
        _forget_tokens_and_tell(account)
    return True


def _forget_tokens_and_tell(account: Account) -> None:
    """Who knew the old password may have asked for another address, and may read old mails."""
    mail_tokens.withdraw(account=account, purposes=AFTER_THE_PASSWORD)
    account_mails.tell_password_changed(account=account)
