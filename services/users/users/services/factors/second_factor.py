"""An account's second factor: on, off, new recovery codes.

Whoever changes it proves the password, and the factor where there is one: an access token alone,
which may be stolen, is not enough. Every change is made under the account's lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Unpack
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from servicekit.http.problems import NotFound
from users.errors import (
    NoSetUp,
    SecondFactorOff,
    SecondFactorOn,
    WrongCode,
    WrongPassword,
)
from users.models import Account, LogInChallenge, Session, TotpDevice
from users.services import login_attempts, roles, security_log, signing_keys
from users.services.factors import second_factor_codes, totp
from users.services.factors.second_step import AMR
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions

#: A set-up that is not confirmed by then is begun anew.
SET_UP_LIFE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the authenticator app needs; it is shown once."""

    secret: str
    otpauth_uri: str


def begin(*, account_id: UUID, current_password: str, **origin: Unpack[Origin]) -> SetUp:
    """Make a secret for the account's app; it counts once `confirm` has seen a code of it.

    Raises:
        TooManyAttempts: the password was guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorOn: the account has a second factor: first switch it off.
    """
    secret = totp.new_secret()
    with _proven(account_id, current_password, origin) as account:
        if second_factor_codes.is_on(account):
            raise SecondFactorOn
        TotpDevice.objects.update_or_create(
            account=account,
            defaults={
                "encrypted_secret": signing_keys.cipher().encrypt(secret),
                "created_at": timezone.now(),
                "last_step": 0,
            },
        )
    uri = totp.otpauth_uri(secret=secret, email=account.email)
    return SetUp(totp.as_text(secret), uri)


def confirm(
    *,
    account_id: UUID,
    code: str,
    session_id: UUID | None,
    **origin: Unpack[Origin],
) -> list[str]:
    """Switch the second factor on and return the recovery codes.

    Every other session ends: it may be of whoever the factor is to keep out. This session has
    proved both factors.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        NoSetUp: none was begun in time.
        SecondFactorOn: it is on already.
        WrongCode: it is not a code of the app now.
    """
    email = Account.objects.values_list("email", flat=True).filter(pk=account_id).first()
    if email is None:
        raise NoSetUp  # the account was deleted since its owner asked
    login_attempts.take_try(email=email, source=origin.get("source", login_attempts.UNKNOWN))
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).filter(pk=account_id).first()
        if account is None:
            raise NoSetUp
        device = TotpDevice.objects.filter(account=account).first()
        _switch_on(device, code)
        codes = second_factor_codes.replace_recovery_codes(account=account)
        end_sessions(account=account, reason="second_factor", except_session=session_id)
        if session_id is not None:
            Session.objects.filter(pk=session_id, account=account).update(amr=AMR)
        _tell(account, Kind.SECOND_FACTOR_ON, origin)
    return codes


def renew_recovery_codes(
    *, account_id: UUID, current_password: str, code: str, **origin: Unpack[Origin]
) -> list[str]:
    """Return new recovery codes, which end the old ones.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorOff: there is no second factor.
        WrongCode: it is no code of the account, or was used before.
    """
    with _proven(account_id, current_password, origin) as account:
        _spend(account, code)
        _tell(account, Kind.RECOVERY_CODES_NEW, origin)
        return second_factor_codes.replace_recovery_codes(account=account)


def disable(
    *, account_id: UUID, current_password: str, code: str, **origin: Unpack[Origin]
) -> None:
    """Switch the second factor off; every session ends, since its tokens say that there is one.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorOff: there is no second factor.
        WrongCode: it is no code of the account, or was used before.
    """
    with _proven(account_id, current_password, origin) as account:
        _spend(account, code)
        _remove(account, origin)


def remove(*, account: Account, by: UUID | None = None) -> bool:
    """Take the second factor from an account whose owner has lost it, as operators may; return
    whether it had one.

    Its sessions end. Its password is still asked for.
    """
    with transaction.atomic():
        locked = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if not second_factor_codes.is_on(locked):
            return False
        _remove(locked, {}, by=by)
    return True


def remove_for_owner(*, account_id: UUID, by: UUID) -> None:
    """Take the second factor from an account whose owner has asked an admin.

    Raises:
        MissingRole: `by` is no admin now, whatever the token says that was issued earlier.
        NotFound: there is no such account.
    """
    with transaction.atomic():
        # In one sequence: two admins that do it to each other must not wait for each other.
        both = Account.objects.select_for_update(no_key=True).filter(pk__in=[by, account_id])
        account = {row.pk: row for row in both.order_by("id")}.get(account_id)
        roles.check_admin(by)
        if account is None:
            raise NotFound
        remove(account=account, by=by)


def _switch_on(device: TotpDevice | None, code: str) -> None:
    if device is not None and device.confirmed_at is not None:
        raise SecondFactorOn
    if device is None or device.created_at < timezone.now() - SET_UP_LIFE:
        raise NoSetUp
    step = second_factor_codes.step_of(device=device, code=code)
    if step is None:
        raise WrongCode
    device.confirmed_at, device.last_step = timezone.now(), step
    device.save(update_fields=["confirmed_at", "last_step"])


def _spend(account: Account, code: str) -> None:
    if not second_factor_codes.is_on(account):
        raise SecondFactorOff
    if not second_factor_codes.spend(account=account, code=code):
        raise WrongCode


def _remove(account: Account, origin: Origin, *, by: UUID | None = None) -> None:
    TotpDevice.objects.filter(account=account).delete()
    account.recovery_codes.all().delete()
    LogInChallenge.objects.filter(account=account).delete()
    end_sessions(account=account, reason="second_factor")
    _tell(account, Kind.SECOND_FACTOR_OFF, origin, by=by)


@contextmanager
def _proven(account_id: UUID, password: str, origin: Origin) -> Iterator[Account]:
    """Yield the account, locked in a transaction, if that is its password.

    Hashing takes some 20 ms: no lock is held across it. Unlike accounts.confirm_password, the try
    is forgiven only once the rest is proved as well: it may be a guess at a code.
    """
    checked = Account.objects.filter(pk=account_id).first()
    if checked is None:
        raise WrongPassword  # the account was deleted since its owner asked
    source = origin.get("source", login_attempts.UNKNOWN)
    login_attempts.take_try(email=checked.email, source=source)
    if not checked.check_password(password):
        raise WrongPassword
    with transaction.atomic():
        rows = Account.objects.select_for_update(no_key=True)
        account = rows.filter(pk=account_id, password=checked.password, is_active=True).first()
        if account is None:
            raise WrongPassword
        yield account
    login_attempts.forgive(email=checked.email, source=source)


def _tell(account: Account, kind: Kind, origin: Origin, *, by: UUID | None = None) -> None:
    """Write down what changed, in the transaction that changes it: the place for the owner's mail,
    too.
    """
    security_log.record(kind, account_id=account.pk, by=by, **origin)
