"""An account's second factor: an app switched on, all of it switched off, new recovery codes.

Passkeys: passkeys.py; what each change asks for: proofs.py; what follows: factor_changes.py. Every
change is made under the account's lock.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Unpack
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from servicekit.http.problems import NotFound
from users.errors import NoSetUp, SecondFactorOn, WrongCode
from users.models import Account, TotpDevice
from users.services import login_attempts, roles, signing_keys
from users.services.factors import factor_changes, proofs, second_factor_codes, totp
from users.services.factors.proofs import Proof
from users.services.factors.second_step import AMR
from users.services.security_log import Kind, Origin

#: A set-up that is not confirmed by then is begun anew.
SET_UP_LIFE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the authenticator app needs; it is shown once."""

    secret: str
    otpauth_uri: str


def begin(
    *,
    account_id: UUID,
    current_password: str,
    proof: Proof | None = None,
    **origin: Unpack[Origin],
) -> SetUp:
    """Make a secret for the account's app; it counts once `confirm` has seen a code of it.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorOn: the account has an app: first switch the second factor off.
        SecondFactorProofMissing, WrongCode, WrongPasskey: it has a passkey, and no proof came.
    """
    secret = totp.new_secret()
    with proofs.proven(account_id, current_password, origin) as account:
        if TotpDevice.objects.filter(account=account, confirmed_at__isnull=False).exists():
            raise SecondFactorOn
        proofs.spend_where_on(account, proof or {})
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
    """Switch the app on and return the recovery codes; none, if passkeys have brought them before.

    Every other session ends; this session has proved both factors.

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
        was_on = second_factor_codes.is_on(account)
        _switch_on(TotpDevice.objects.filter(account=account).first(), code)
        factor_changes.added(
            account, Kind.SECOND_FACTOR_ON, amr=AMR, session_id=session_id, origin=origin
        )
        return factor_changes.codes_of_first(account, was_on=was_on)


def renew_recovery_codes(
    *, account_id: UUID, current_password: str, proof: Proof, **origin: Unpack[Origin]
) -> list[str]:
    """Return new recovery codes, which end the old ones.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorOff: there is no second factor.
        WrongCode, WrongPasskey: it proves nothing, or was used before.
    """
    with proofs.proven(account_id, current_password, origin) as account:
        proofs.spend(account, proof)
        factor_changes.tell(account, Kind.RECOVERY_CODES_NEW, origin)
        return second_factor_codes.replace_recovery_codes(account=account)


def disable(
    *, account_id: UUID, current_password: str, proof: Proof, **origin: Unpack[Origin]
) -> None:
    """Switch the second factor off, the app and every passkey; every session ends, since its
    tokens say that there is one.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorOff: there is no second factor.
        WrongCode, WrongPasskey: it proves nothing, or was used before.
    """
    with proofs.proven(account_id, current_password, origin) as account:
        proofs.spend(account, proof)
        factor_changes.switch_off(account, origin)


def remove(*, account: Account, by: UUID | None = None) -> bool:
    """Take the second factor from an account whose owner has lost it, as operators may; return
    whether it had one.

    Its sessions end. Its password is still asked for.
    """
    with transaction.atomic():
        locked = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if not second_factor_codes.is_on(locked):
            return False
        factor_changes.switch_off(locked, {}, by=by)
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
