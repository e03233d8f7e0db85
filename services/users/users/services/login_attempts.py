"""Guesses at a password: a few at once, then ever more slowly, by account and source.

Each address that is tried, whether or not it has an account, has a counter for each source (the
client's network address) and a counter for all sources together, which catches distributed guesses.
A source from which the account has logged in is not held up by the guesses of others, so an
attacker cannot lock the owner out (docs/adr/0055-guesses-are-slowed-down.md).
"""

import hashlib
import math
from dataclasses import dataclass

from django.db import connection

from users.errors import TooManyAttempts
from users.models import Account, InvalidEmail, LoginAttempt


@dataclass(frozen=True, slots=True)
class Pace:
    """Tries without a pause; after them the first pause, and each further pause twice as long."""

    free_tries: int
    first_pause_seconds: int = 15
    longest_pause_seconds: int = 900


#: With 5 free tries there are 10 in a quarter of an hour, with 20 about 30.
OF_A_SOURCE, OF_ALL = Pace(5), Pace(20)
FORGET_AFTER_HOURS, KNOWN_FOR_DAYS = 24, 30
#: Mails that were asked for are counted apart (mail_limits.py).
MAILS_TO = "mails to "
#: Stands for all sources together.
EVERYWHERE = ""
#: The source of calls that do not come from a client's request.
UNKNOWN = "unknown"

# One statement counts and decides before the password is hashed: of fifty guesses at once no more
# than the free attempts pass.
TAKE = """
    INSERT INTO login_attempt AS attempt (account, source, tries, not_before, last_at)
    VALUES (%(account)s, %(source)s, 1, clock_timestamp(), clock_timestamp())
    ON CONFLICT (account, source) DO UPDATE SET
        tries = 1 + CASE
            WHEN attempt.last_at < clock_timestamp() - %(forget)s * interval '1 hour' THEN 0
            ELSE attempt.tries END,
        not_before = clock_timestamp() + interval '1 second' * CASE
            WHEN attempt.last_at < clock_timestamp() - %(forget)s * interval '1 hour' THEN 0
            WHEN attempt.tries + 1 < %(free)s THEN 0
            ELSE least(
                %(first)s * power(2, least(attempt.tries + 1 - %(free)s, 20)), %(longest)s) END,
        last_at = clock_timestamp()
    WHERE attempt.not_before <= clock_timestamp()
    RETURNING tries
"""
# Of all sources together only the owner's own try is forgotten: a log-in must not give attackers a
# fresh set of free tries.
TAKE_BACK = """
    UPDATE login_attempt SET tries = greatest(tries - %(own)s, 0)
    WHERE account = %(account)s AND source = ''
        AND NOT EXISTS (
            SELECT FROM login_attempt WHERE account = %(account)s AND source = %(source)s
                AND succeeded_at > clock_timestamp() - %(known)s * interval '1 day')
"""
WAIT = """
    SELECT extract(epoch FROM not_before - clock_timestamp()) FROM login_attempt
    WHERE account = %s AND source = %s
"""
IS_KNOWN = """
    SELECT count(*) FROM login_attempt
    WHERE account = %s AND source = %s AND succeeded_at > clock_timestamp() - %s * interval '1 day'
"""
SUCCEED = """
    UPDATE login_attempt
    SET tries = 0, not_before = clock_timestamp(), succeeded_at = clock_timestamp()
    WHERE account = %(account)s AND source = %(source)s
"""


def take_try(*, email: str, source: str) -> None:
    """Count a try at the password of `email`.

    Call it outside of transactions, since a refusal must not undo the count, and before the
    password is hashed.

    Raises:
        TooManyAttempts: the try must wait.
    """
    _take_try(account_key(email), source)


def take_try_of_client(*, client_id: str, source: str) -> None:
    """Count a wrong secret of a machine client, whether or not there is such a client.

    Raises:
        TooManyAttempts: the next try must wait.
    """
    _take_try(account_key(client_id, purpose="client:"), source)


def _take_try(account: bytes, source: str) -> None:
    is_known = _is_known(account, source)
    count(account, source, OF_ALL if is_known else OF_A_SOURCE)
    if not is_known:
        count(account, EVERYWHERE, OF_ALL)


def is_known(*, email: str, source: str) -> bool:
    """Return whether the account has logged in from there lately."""
    return _is_known(account_key(email), source)


def _is_known(account: bytes, source: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(IS_KNOWN, [account, source, KNOWN_FOR_DAYS])
        return bool(cursor.fetchone()[0])


def forgive(*, email: str, source: str, tries: int = 1) -> None:
    """Forget the tries of a source after the right password; the source is known from now on.

    `tries` is how many the log-in itself took.
    """
    values: dict[str, str | int | bytes] = {
        "account": account_key(email),
        "source": source,
        "known": KNOWN_FOR_DAYS,
        "own": tries,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE_BACK, values)
        cursor.execute(SUCCEED, values)


def forget(*, email: str) -> None:
    """Forget every try at the password of an address that is no account's now, and at its mails.

    It was the account's until that was deleted or got another. Never forget an address that
    somebody only asks for: its counters protect whoever reads its mails.
    """
    keys = [account_key(email), account_key(email, purpose=MAILS_TO)]
    LoginAttempt.objects.filter(account__in=keys).delete()


def count(account: bytes, source: str, pace: Pace) -> None:
    """Count a try of a source, or of EVERYWHERE; `account` is a key that account_key made.

    Raises:
        TooManyAttempts: the try must wait.
    """
    values: dict[str, str | int | bytes] = {
        "account": account,
        "source": source,
        "free": pace.free_tries,
        "first": pace.first_pause_seconds,
        "longest": pace.longest_pause_seconds,
        "forget": FORGET_AFTER_HOURS,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE, values)
        if cursor.fetchone():
            return
        cursor.execute(WAIT, [account, source])
        row = cursor.fetchone()
    raise TooManyAttempts(wait_seconds=max(1, math.ceil(row[0] if row else 1)))


def account_key(email: str, *, purpose: str = "") -> bytes:
    """Return a hash of the address: the table need not hold the addresses of strangers.

    Tries with another `purpose` than a password's are counted apart.
    """
    try:
        spelling = Account.objects.normalize_email(email)
    except InvalidEmail:
        spelling = email
    return hashlib.sha256(f"{purpose}{spelling}".encode()).digest()
