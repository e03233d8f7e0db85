"""The security log: what an account's owner should know of, in the transaction that did it.

Failed log-ins are counted rather than listed, by account, network and hour. The guesses of
login_attempts.py are slowed down, so an account has some hundred such rows an hour at the worst;
log-ins at addresses without an account share a row for each network, which holds no address.
"""

import ipaddress
from typing import TypedDict, Unpack
from uuid import UUID

from django.db import connection
from uuid_utils.compat import uuid7

from users.models import MAX_DEVICE_LENGTH, Account, InvalidEmail, SecurityEvent

Kind = SecurityEvent.Kind
#: Enough to tell a household or an office, too little to tell a person (GDPR, recital 26).
IPV4_PREFIX, IPV6_PREFIX = 24, 48


class Origin(TypedDict, total=False):
    """Where a request comes from (api.sources.origin_of); empty for operators' commands.

    `source` is what log-in attempts are counted by, `device` what the client calls itself.
    """

    source: str
    device: str


# The account is looked up by the statement that counts: whether there is such an account makes no
# difference that a clock could tell.
COUNT = """
    INSERT INTO security_event (id, account_id, kind, at, network, device, count, hour)
    VALUES (%s, (SELECT id FROM account WHERE email = %s), 'login_failed', statement_timestamp(),
            %s, %s, 1, date_trunc('hour', statement_timestamp(), 'UTC'))
    ON CONFLICT (account_id, network, hour) WHERE hour IS NOT NULL DO UPDATE SET
        count = security_event.count + 1, at = excluded.at, device = excluded.device
"""


def record(
    kind: Kind, *, account_id: UUID, by: UUID | None = None, **origin: Unpack[Origin]
) -> None:
    """Write down what happened to an account; call it in the transaction that does it.

    `by` is the member of staff who did it.
    """
    SecurityEvent.objects.create(
        account_id=account_id,
        kind=kind,
        network=network_of(origin.get("source", "")),
        device=origin.get("device", "")[:MAX_DEVICE_LENGTH],
        by=by,
    )


def record_device(*, account_id: UUID, **origin: Unpack[Origin]) -> None:
    """Write down a log-in from a device that the log does not know of this account.

    The caller holds the account's lock.
    """
    device = origin.get("device", "")[:MAX_DEVICE_LENGTH]
    known = SecurityEvent.objects.filter(account_id=account_id, kind=Kind.NEW_DEVICE, device=device)
    if not known.exists():
        record(Kind.NEW_DEVICE, account_id=account_id, **origin)


def count_failed_log_in(*, email: str, **origin: Unpack[Origin]) -> None:
    """Count a wrong password at an address, whether or not it has an account."""
    try:
        spelling = Account.objects.normalize_email(email)
    except InvalidEmail:
        spelling = ""
    network = network_of(origin.get("source", ""))
    device = origin.get("device", "")[:MAX_DEVICE_LENGTH]
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [uuid7(), spelling, network, device])


def anonymise(*, account_id: UUID) -> None:
    """Forget from where things were done to an account; what and when stays."""
    SecurityEvent.objects.filter(account_id=account_id).exclude(kind=Kind.LOGIN_FAILED).update(
        network="", device=""
    )
    # Several rows of an hour differ by their network only.
    SecurityEvent.objects.filter(account_id=account_id, kind=Kind.LOGIN_FAILED).delete()


def network_of(source: str) -> str:
    """Return the network of a source, or nothing for a source that is none."""
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return ""
    shortest = IPV4_PREFIX if network.version == 4 else IPV6_PREFIX
    return str(network.supernet(new_prefix=min(network.prefixlen, shortest)))
