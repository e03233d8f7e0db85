"""Guesses at a password: a few at once, then ever more slowly, by account and source.

Each address that is tried, whether or not it has an account, has a counter for each source (the
client's network address) and a counter for all sources together, which catches distributed guesses.
A source from which the account has logged in is not held up by the guesses of others, so an
attacker cannot lock the owner out (docs/adr/0055-guesses-are-slowed-down.md).
"""

import hashlib
import math

from django.db import connection

from users.errors import TooManyAttempts
from users.models import Account, InvalidEmail, LoginAttempt

#: Tries without a pause. The first pause after them is 15 s, each further pause twice as long, up
#: to 15 minutes: with 5 free tries that allows 10 in a quarter of an hour, with 20 about 30.
FREE_TRIES, FREE_TRIES_OF_ALL = 5, 20
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15, 900
FORGET_AFTER_HOURS, KNOWN_FOR_DAYS = 24, 30
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
    _take_try(_account_key(email), source)


def take_try_of_client(*, client_id: str, source: str) -> None:
    """Count a wrong secret of a machine client, whether or not there is such a client.

    Raises:
        TooManyAttempts: the next try must wait.
    """
    _take_try(hashlib.sha256(f"client:{client_id}".encode()).digest(), source)


def _take_try(account: bytes, source: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(IS_KNOWN, [account, source, KNOWN_FOR_DAYS])
        is_known = bool(cursor.fetchone()[0])
    _take(account, source, FREE_TRIES_OF_ALL if is_known else FREE_TRIES)
    if not is_known:
        _take(account, EVERYWHERE, FREE_TRIES_OF_ALL)


def forgive(*, email: str, source: str, tries: int = 1) -> None:
    """Forget the tries of a source after the right password; the source is known from now on.

    `tries` is how many the log-in itself took.
    """
    values: dict[str, str | int | bytes] = {
        "account": _account_key(email),
        "source": source,
        "known": KNOWN_FOR_DAYS,
        "own": tries,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE_BACK, values)
        cursor.execute(SUCCEED, values)


def forget(*, email: str) -> None:
    """Forget every try at the password of an address whose account is deleted."""
    LoginAttempt.objects.filter(account=_account_key(email)).delete()


def _take(account: bytes, source: str, free: int) -> None:
    values: dict[str, str | int | bytes] = {
        "account": account,
        "source": source,
        "free": free,
        "first": FIRST_PAUSE_SECONDS,
        "longest": LONGEST_PAUSE_SECONDS,
        "forget": FORGET_AFTER_HOURS,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE, values)
        if cursor.fetchone():
            return
        cursor.execute(WAIT, [account, source])
        row = cursor.fetchone()
    raise TooManyAttempts(wait_seconds=max(1, math.ceil(row[0] if row else 1)))


def _account_key(email: str) -> bytes:
    """Return a hash of the address: the table need not hold the addresses of strangers."""
    try:
        spelling = Account.objects.normalize_email(email)
    except InvalidEmail:
        spelling = email
    return hashlib.sha256(spelling.encode()).digest()
