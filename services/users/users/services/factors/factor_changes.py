"""What follows when a second factor comes or goes: sessions, recovery codes, the log, the mail.

In the transaction of the change, under the account's lock.
"""

from uuid import UUID

from users.models import Account, LogInChallenge, Session, TotpDevice
from users.services import account_mails, security_log
from users.services.factors import second_factor_codes
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions


def added(
    account: Account, kind: Kind, *, amr: str, session_id: UUID | None, origin: Origin
) -> None:
    """Let a session that has proved the new factor go on, and no other: it may be of whoever the
    factor is to keep out.
    """
    end_sessions(account=account, reason="second_factor", except_session=session_id)
    if session_id is not None:
        Session.objects.filter(pk=session_id, account=account).update(amr=amr)
    tell(account, kind, origin)


def switch_off(account: Account, origin: Origin, *, by: UUID | None = None) -> None:
    """Take every factor from the account, with its recovery codes; every session ends."""
    TotpDevice.objects.filter(account=account).delete()
    account.passkeys.all().delete()
    account.recovery_codes.all().delete()
    LogInChallenge.objects.filter(account=account).delete()
    end_sessions(account=account, reason="second_factor")
    tell(account, Kind.SECOND_FACTOR_OFF, origin, by=by)


def codes_of_first(account: Account, *, was_on: bool) -> list[str]:
    """Return new recovery codes with an account's first factor; later it keeps those it has."""
    return [] if was_on else second_factor_codes.replace_recovery_codes(account=account)


def tell(account: Account, kind: Kind, origin: Origin, *, by: UUID | None = None) -> None:
    """Write down what changed, and write to the owner, who may not have done it (ASVS 6.3.7)."""
    security_log.record(kind, account_id=account.pk, by=by, **origin)
    account_mails.tell_second_factor_changed(account=account, change=kind.value)
