"""Log in with a passkey alone: it is had, and its authenticator has checked who has it."""

import hmac
from typing import Unpack

from django.db import transaction

from users.models import Account, Passkey
from users.passkey_errors import WrongLogInPasskey
from users.services import security_log
from users.services.factors import passkey_challenges, passkey_proofs, relying_party
from users.services.factors.passkey_challenges import Purpose
from users.services.factors.relying_party import Json, PasskeyRefused
from users.services.security_log import Origin
from users.services.sessions import Tokens, begin_session

#: RFC 8176 and its registry: a key was proved to be had, and with it what a person has or knows.
AMR = "pop mfa"


def begin() -> Json:
    """Return what a browser needs to let somebody pick a passkey (WebAuthn request options)."""
    challenge = passkey_challenges.issue(Purpose.LOG_IN)
    return relying_party.request_options(passkeys=(), challenge=challenge)


def log_in(*, credential: Json, **origin: Unpack[Origin]) -> Tokens:
    """Begin a session of the account whose passkey it is and return its first tokens.

    There is nothing to guess, so strangers' guesses at the password do not hold its owner up.

    Raises:
        WrongLogInPasskey: no passkey of an active account has signed a challenge of `begin` now.
    """
    account: Account | None = None
    try:
        with passkey_proofs.refused_as(WrongLogInPasskey(), origin):
            account = _owner_of(credential)
            return _log_in(account, credential, origin)
    except WrongLogInPasskey:
        security_log.count_failed_log_in(email=account.email if account else "", **origin)
        raise


def _owner_of(credential: Json) -> Account:
    credential_id = relying_party.credential_id_of(credential)
    rows = Passkey.objects.select_related("account").filter(credential_id=credential_id)
    passkey = rows.first()
    if passkey is None:
        raise PasskeyRefused
    return passkey.account


def _log_in(found: Account, credential: Json, origin: Origin) -> Tokens:
    handle = relying_party.bytes_in(credential, "userHandle")
    if not hmac.compare_digest(handle, found.pk.bytes):
        raise PasskeyRefused
    challenge = relying_party.challenge_in(credential)
    with transaction.atomic():
        rows = Account.objects.select_for_update(no_key=True)
        account = rows.filter(pk=found.pk, is_active=True).first()
        if account is None:
            raise PasskeyRefused
        passkey_challenges.spend(challenge, Purpose.LOG_IN)
        passkey_proofs.spend(
            account=account, credential=credential, challenge=challenge, is_user_verified=True
        )
        return begin_session(account=account, amr=AMR, **origin)
