"""An account's passkeys: made, named, removed. Every change is made under the account's lock."""

from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from django.db import IntegrityError, transaction

from servicekit.http.problems import NotFound
from users.models import MAX_PASSKEYS, Account, Passkey, TotpDevice
from users.passkey_errors import PasskeyKnown, TooManyPasskeys, UnusablePasskey
from users.services.factors import (
    factor_changes,
    passkey_challenges,
    passkey_proofs,
    proofs,
    relying_party,
    second_factor_codes,
)
from users.services.factors.passkey_challenges import Purpose
from users.services.factors.proofs import Proof
from users.services.factors.relying_party import Json, NewKey, PasskeyRefused
from users.services.factors.second_step import AMR_PASSKEY
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions


@dataclass(frozen=True, slots=True)
class Added:
    """A new passkey; `recovery_codes` with the account's first factor, shown once."""

    passkey: Passkey
    recovery_codes: list[str]


def begin(
    *, account_id: UUID, current_password: str, proof: Proof, **origin: Unpack[Origin]
) -> Json:
    """Return what a browser needs to have a passkey made (WebAuthn creation options).

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorProofMissing, WrongCode, WrongPasskey: the second factor was not proved.
        TooManyPasskeys: the account has as many as it may.
    """
    with proofs.proven(account_id, current_password, origin) as account:
        proofs.spend_where_on(account, proof)
        _check_room(account)
    challenge = passkey_challenges.issue(Purpose.REGISTRATION, account=account)
    return relying_party.creation_options(account=account, challenge=challenge)


def register(
    *,
    account_id: UUID,
    name: str,
    credential: Json,
    session_id: UUID | None,
    **origin: Unpack[Origin],
) -> Added:
    """Keep a passkey that was made for `begin`; every other session ends.

    The challenge, which only `begin` tells, proves that password and factor were given.

    Raises:
        UnusablePasskey: it was made for something else, by another page, or too late.
        PasskeyKnown: it is registered, with this account or another.
        TooManyPasskeys: the account has as many as it may.
    """
    with passkey_proofs.refused_as(UnusablePasskey(), origin), transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).filter(pk=account_id).first()
        if account is None:
            raise PasskeyRefused  # it was deleted since its owner asked
        challenge = relying_party.challenge_in(credential)
        passkey_challenges.spend(challenge, Purpose.REGISTRATION, account=account)
        key = relying_party.check_registration(credential=credential, challenge=challenge)
        was_on = second_factor_codes.is_on(account)
        _check_room(account)
        passkey = _insert(account, name, key)
        # An app that was begun without proof of a factor must not become one now.
        TotpDevice.objects.filter(account=account, confirmed_at__isnull=True).delete()
        kind = Kind.PASSKEY_ADDED if was_on else Kind.SECOND_FACTOR_ON
        factor_changes.added(account, kind, amr=AMR_PASSKEY, session_id=session_id, origin=origin)
        return Added(passkey, factor_changes.codes_of_first(account, was_on=was_on))


def rename(*, account_id: UUID, passkey_id: UUID, name: str) -> None:
    """Give a passkey another name.

    Raises:
        NotFound: the account has no such passkey.
    """
    if not Passkey.objects.filter(pk=passkey_id, account_id=account_id).update(name=name):
        raise NotFound


def remove(
    *,
    account_id: UUID,
    passkey_id: UUID,
    current_password: str,
    proof: Proof,
    session_id: UUID | None,
    **origin: Unpack[Origin],
) -> None:
    """Remove a passkey; every other session ends. With the last factor, the second factor is off,
    and every session ends.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        SecondFactorProofMissing, WrongCode, WrongPasskey: the second factor was not proved.
        NotFound: the account has no such passkey.
    """
    with proofs.proven(account_id, current_password, origin) as account:
        proofs.spend_where_on(account, proof)
        deleted, _ = account.passkeys.filter(pk=passkey_id).delete()
        if not deleted:
            raise NotFound
        if second_factor_codes.is_on(account):
            end_sessions(account=account, reason="second_factor", except_session=session_id)
            factor_changes.tell(account, Kind.PASSKEY_REMOVED, origin)
        else:
            factor_changes.switch_off(account, origin)


def _check_room(account: Account) -> None:
    if account.passkeys.count() >= MAX_PASSKEYS:
        raise TooManyPasskeys


def _insert(account: Account, name: str, key: NewKey) -> Passkey:
    try:
        with transaction.atomic():
            return Passkey.objects.create(
                account=account,
                name=name,
                credential_id=key.credential_id,
                public_key=key.public_key,
                sign_count=key.sign_count,
                transports=key.transports,
            )
    except IntegrityError:
        raise PasskeyKnown from None
