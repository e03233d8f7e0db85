"""Every read of accounts."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from users.models import Account, TotpDevice


def list_accounts() -> QuerySet[Account]:
    """Return every account, inactive accounts too, without the hashes of their passwords."""
    return Account.objects.defer("password")


def account_for_id(account_id: UUID) -> Account | None:
    """Return an active account, or None."""
    return list_accounts().filter(pk=account_id, is_active=True).first()


def second_factor_of(account: Account) -> dict[str, Any]:
    """Return the state of an account's second factor; nothing secret."""
    device = TotpDevice.objects.filter(account=account, confirmed_at__isnull=False).first()
    unused = account.recovery_codes.filter(used_at__isnull=True)
    return {
        "enabled": device is not None,
        "enabled_at": device and device.confirmed_at,
        "recovery_codes_left": unused.count(),
        "is_required": settings.SECOND_FACTOR_FOR_STAFF and account.is_staff,
    }
