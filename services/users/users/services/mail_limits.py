"""How many mails anybody may have sent to an address: a few an hour, which nobody is told of.

Counted as guesses at passwords are (login_attempts.py), and by the same rule about known sources:
strangers who ask for mails to an address do not keep its owner from one.
"""

from users.errors import TooManyAttempts
from users.services import login_attempts
from users.services.login_attempts import EVERYWHERE, Pace

#: Three mails at once, then one after 20 minutes, 40 minutes, and each hour.
OF_A_SOURCE = Pace(3, first_pause_seconds=1200, longest_pause_seconds=3600)
#: Of all strangers together.
OF_ALL = Pace(5, first_pause_seconds=1200, longest_pause_seconds=3600)


def is_allowed(*, email: str, source: str) -> bool:
    """Count a mail to `email` that `source` asks for; return whether it may be sent.

    The same statements run whether or not the address has an account, and whether or not it has
    logged in from there. Call it outside of transactions.
    """
    mails = login_attempts.account_key(email, purpose=login_attempts.MAILS_TO)
    is_allowed_here = _has_place(mails, source, OF_A_SOURCE)
    is_allowed_to_anybody = _has_place(mails, EVERYWHERE, OF_ALL)
    is_known = login_attempts.is_known(email=email, source=source)
    return is_allowed_here and (is_known or is_allowed_to_anybody)


def _has_place(mails: bytes, source: str, pace: Pace) -> bool:
    try:
        login_attempts.count(mails, source, pace)
    except TooManyAttempts:
        return False
    return True
