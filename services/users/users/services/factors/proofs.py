"""What whoever changes a second factor proves first: the password, and the factor where there is
one. An access token alone, which may be stolen, is not enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict
from uuid import UUID

from django.db import transaction

from users.errors import SecondFactorOff, WrongCode, WrongPassword
from users.models import Account
from users.passkey_errors import SecondFactorProofMissing, WrongPasskey
from users.services import login_attempts
from users.services.factors import passkey_proofs, second_factor_codes
from users.services.factors.relying_party import Json
from users.services.security_log import Origin


class Proof(TypedDict, total=False):
    """A code of the app, a recovery code, or a passkey's answer to `passkey_proofs.proof_options`;
    nothing, where there is no second factor.
    """

    code: str
    passkey: Json


@contextmanager
def proven(account_id: UUID, password: str, origin: Origin) -> Iterator[Account]:
    """Yield the account, locked in a transaction, if that is its password.

    Hashing takes some 20 ms: no lock is held across it. Unlike accounts.confirm_password, the try
    is forgiven only once the rest is proved as well: it may be a guess at a code.

    Raises:
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongPassword: it is not the account's password.
        WrongPasskey: the passkey that was given besides proves nothing.
    """
    checked = Account.objects.filter(pk=account_id).first()
    if checked is None:
        raise WrongPassword  # the account was deleted since its owner asked
    source = origin.get("source", login_attempts.UNKNOWN)
    login_attempts.take_try(email=checked.email, source=source)
    if not checked.check_password(password):
        raise WrongPassword
    with passkey_proofs.refused_as(WrongPasskey(), origin), transaction.atomic():
        rows = Account.objects.select_for_update(no_key=True)
        account = rows.filter(pk=account_id, password=checked.password, is_active=True).first()
        if account is None:
            raise WrongPassword
        yield account
    login_attempts.forgive(email=checked.email, source=source)


def spend(account: Account, proof: Proof) -> None:
    """Take the proof of an account's second factor, within `proven`.

    Raises:
        SecondFactorOff: there is none.
        SecondFactorProofMissing: nothing was given.
        WrongCode: it is no code of the account, or was used before.
    """
    if not second_factor_codes.is_on(account):
        raise SecondFactorOff
    if "passkey" in proof:
        passkey_proofs.spend_proof(account=account, credential=proof["passkey"])
    elif "code" not in proof:
        raise SecondFactorProofMissing
    elif not second_factor_codes.spend(account=account, code=proof["code"]):
        raise WrongCode


def spend_where_on(account: Account, proof: Proof) -> None:
    """Take the proof of an account's second factor, if it has one."""
    if second_factor_codes.is_on(account):
        spend(account, proof)
