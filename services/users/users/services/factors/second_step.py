"""The second step of a log-in: a code for the challenge that the first step got."""

from typing import Unpack

from django.db import transaction

from users.errors import WrongLogInCode
from users.services import login_attempts, security_log
from users.services.factors import login_challenges, second_factor_codes
from users.services.security_log import Origin
from users.services.sessions import Tokens, begin_session

#: RFC 8176: a password and a one-time password.
AMR = "pwd otp"
#: The password and the code are a try each.
TRIES_OF_A_LOG_IN = 2


def answer_challenge(*, challenge: str, code: str, **origin: Unpack[Origin]) -> Tokens:
    """Begin the session of a challenge and return its first tokens.

    Raises:
        InvalidChallenge: it is unknown, answered, used up or expired, or its account has changed.
        TooManyAttempts: passwords and codes of the account were guessed at too often.
        WrongLogInCode: it is no code of the account, or was used before.
        UnreadableSecondFactor: KEY_ENCRYPTION_KEY does not decrypt the app's secret.
    """
    source = origin.get("source", login_attempts.UNKNOWN)
    email = login_challenges.email_for(token=challenge)
    login_attempts.take_try(email=email, source=source)
    tries_left = login_challenges.take_try(token=challenge)
    try:
        tokens = _answer(challenge, code, tries_left, origin)
    except WrongLogInCode:
        security_log.count_failed_log_in(email=email, **origin)
        raise
    login_attempts.forgive(email=email, source=source, tries=TRIES_OF_A_LOG_IN)
    return tokens


def _answer(challenge: str, code: str, tries_left: int, origin: Origin) -> Tokens:
    with transaction.atomic():
        account = login_challenges.spend(token=challenge)
        if not second_factor_codes.spend(account=account, code=code):
            # It undoes the end of the challenge; the try was counted before.
            raise WrongLogInCode(tries_left=tries_left)
        return begin_session(account=account, amr=AMR, **origin)
