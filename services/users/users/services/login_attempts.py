"""How often somebody may guess a password: few times at once, then ever more slowly, by account and source.

Two counters are kept of each address that is tried, whether or not it has an account: one for each source (the client's network
address) and one for all sources together, which catches guesses from many. A source from which the account has logged in is not held
up by the guesses of others, so nobody can lock the owner out (docs/adr/0055-guesses-are-slowed-down.md).
"""

import hashlib
import ipaddress
import math

from django.db import connection
from rest_framework.request import Request

from users.errors import TooManyAttempts
from users.models import Account, InvalidEmail

#: Tries that cost no wait. After them a try may follow 15 s after the one before, then twice as long, up to 15 minutes:
#: with 5 free tries 10 in a quarter of an hour, with 20 about 30.
FREE_TRIES, FREE_TRIES_OF_ALL = 5, 20
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15, 900
FORGET_AFTER_HOURS, KNOWN_FOR_DAYS = 24, 30
#: Stands for all sources together.
EVERYWHERE = ""
UNKNOWN = "unknown"

# One statement decides, and counts before the password is looked at: of fifty guesses at once no more pass than may.
TAKE = """
    INSERT INTO login_attempt AS attempt (account, source, tries, not_before, last_at)
    VALUES (%(account)s, %(source)s, 1, clock_timestamp(), clock_timestamp())
    ON CONFLICT (account, source) DO UPDATE SET
        tries = (CASE WHEN attempt.last_at < clock_timestamp() - %(forget)s * interval '1 hour' THEN 0 ELSE attempt.tries END) + 1,
        not_before = clock_timestamp() + interval '1 second' * CASE
            WHEN attempt.last_at < clock_timestamp() - %(forget)s * interval '1 hour' OR attempt.tries + 1 < %(free)s THEN 0
            ELSE least(%(first)s * power(2, least(attempt.tries + 1 - %(free)s, 20)), %(longest)s) END,
        last_at = clock_timestamp()
    WHERE attempt.not_before <= clock_timestamp()
    RETURNING tries
"""
# Of all sources together only the owner's own try is forgotten: a log-in must not give those who guess a fresh set.
TAKE_BACK = """
    UPDATE login_attempt SET tries = greatest(tries - 1, 0) WHERE account = %(account)s AND source = ''
        AND NOT EXISTS (
            SELECT FROM login_attempt WHERE account = %(account)s AND source = %(source)s
                AND succeeded_at > clock_timestamp() - %(known)s * interval '1 day')
"""
WAIT = """
    SELECT extract(epoch FROM not_before - clock_timestamp()) FROM login_attempt WHERE account = %s AND source = %s
"""
IS_KNOWN = """
    SELECT count(*) FROM login_attempt
    WHERE account = %s AND source = %s AND succeeded_at > clock_timestamp() - %s * interval '1 day'
"""
SUCCEED = """
    UPDATE login_attempt SET tries = 0, not_before = clock_timestamp(), succeeded_at = clock_timestamp()
    WHERE account = %(account)s AND source = %(source)s
"""


def source_of(request: Request) -> str:
    """Return where a request comes from, as the gateway says; of IPv6 the network, since a host has 2^64 addresses."""
    text = request.headers.get("X-Real-IP") or request.META.get("REMOTE_ADDR", "")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return UNKNOWN
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def take_try(*, email: str, source: str) -> None:
    """Count a try at the password of `email`; call it outside of transactions, before the password is looked at.

    Raises:
        TooManyAttempts: the next try may be made later; this one must not be.
    """
    account = _account_key(email)
    with connection.cursor() as cursor:
        cursor.execute(IS_KNOWN, [account, source, KNOWN_FOR_DAYS])
        is_known = bool(cursor.fetchone()[0])
    _take(account, source, FREE_TRIES_OF_ALL if is_known else FREE_TRIES)
    if not is_known:
        _take(account, EVERYWHERE, FREE_TRIES_OF_ALL)


def forgive(*, email: str, source: str) -> None:
    """Forget the tries of this source, after the right password: it is known from now on."""
    values: dict[str, str | int | bytes] = {
        "account": _account_key(email),
        "source": source,
        "known": KNOWN_FOR_DAYS,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE_BACK, values)
        cursor.execute(SUCCEED, values)


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
    """Return a hash of the address: the table needs not hold the addresses of strangers."""
    try:
        spelling = Account.objects.normalize_email(email)
    except InvalidEmail:
        spelling = email
    return hashlib.sha256(spelling.encode()).digest()
