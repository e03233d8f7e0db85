"""The second step of a log-in: a code, or a passkey, for the challenge that the first step got."""

from typing import Unpack

from django.db import transaction

from users.errors import WrongLogInCode
from users.passkey_errors import WrongLogInPasskey
from users.services import login_attempts, security_log
from users.services.factors import (
    login_challenges,
    passkey_proofs,
    relying_party,
    second_factor_codes,
)
from users.services.factors.proofs import Proof
from users.services.security_log import Origin
from users.services.sessions import Tokens, begin_session

#: RFC 8176: a password and a one-time password.
AMR = "pwd otp"
#: And a key that was proved to be had, in hardware or software: we do not ask which. `pop` is in
#: IANA's registry of RFC 8176, by OpenID Connect EAP ACR Values 1.0.
AMR_PASSKEY = "pwd pop"
#: The password and the code are a try each.
TRIES_OF_A_LOG_IN = 2


def answer_challenge(*, challenge: str, proof: Proof, **origin: Unpack[Origin]) -> Tokens:
    """Begin the session of a challenge and return its first tokens.

    Raises:
        InvalidChallenge: it is unknown, answered, used up or expired, or its account has changed.
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongLogInCode: it is no code of the account, or was used before.
        WrongLogInPasskey: no passkey of the account has signed the challenge.
        UnreadableSecondFactor: KEY_ENCRYPTION_KEY does not decrypt the app's secret.
    """
    source = origin.get("source", login_attempts.UNKNOWN)
    email = login_challenges.email_for(token=challenge)
    login_attempts.take_try(email=email, source=source)
    tries_left = login_challenges.take_try(token=challenge)
    refusal = WrongLogInPasskey(tries_left=tries_left)
    try:
        with passkey_proofs.refused_as(refusal, origin):
            tokens = _answer(challenge, proof, tries_left, origin)
    except (WrongLogInCode, WrongLogInPasskey):
        security_log.count_failed_log_in(email=email, **origin)
        raise
    login_attempts.forgive(email=email, source=source, tries=TRIES_OF_A_LOG_IN)
    return tokens


def _answer(token: str, proof: Proof, tries_left: int, origin: Origin) -> Tokens:
    # A refusal undoes the end of the challenge; the try was counted before.
    with transaction.atomic():
        account = login_challenges.spend(token=token)
        if "passkey" in proof:
            challenge = relying_party.answer_to(token)
            passkey_proofs.spend(account=account, credential=proof["passkey"], challenge=challenge)
            return begin_session(account=account, amr=AMR_PASSKEY, **origin)
        if not second_factor_codes.spend(account=account, code=proof["code"]):
            raise WrongLogInCode(tries_left=tries_left)
        return begin_session(account=account, amr=AMR, **origin)
