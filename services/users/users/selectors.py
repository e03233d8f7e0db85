"""Every read of accounts, their sessions, and machine clients."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from users.models import (
    Account,
    Address,
    Passkey,
    SecurityEvent,
    ServiceClient,
    Session,
    TotpDevice,
)


def list_accounts() -> QuerySet[Account]:
    """Return every account, inactive accounts too, without the hashes of their passwords."""
    return Account.objects.defer("password")


def list_clients() -> QuerySet[ServiceClient]:
    """Return every machine client, withdrawn clients too, without the hashes of their secrets."""
    return ServiceClient.objects.defer("secret_digest", "old_secret_digest")


def account_for_id(account_id: UUID) -> Account | None:
    """Return an active account, or None."""
    return list_accounts().filter(pk=account_id, is_active=True).first()


def count_sessions_with_access_token(life_seconds: int) -> int:
    """Return how many sessions that go on had an access token within its life."""
    since = timezone.now() - timedelta(seconds=life_seconds)
    going_on = Session.objects.filter(ended_at=None, expires_at__gt=timezone.now())
    return going_on.filter(refresh_tokens__issued_at__gt=since).distinct().count()


def list_addresses(account_id: UUID) -> QuerySet[Address]:
    """Return an account's addresses."""
    return Address.objects.filter(account_id=account_id)


def alive_sessions(account_id: UUID) -> QuerySet[Session]:
    """Return the sessions of an account that have neither ended nor expired."""
    return Session.objects.filter(
        account_id=account_id, ended_at__isnull=True, expires_at__gt=Now()
    )


def list_sessions(account_id: UUID, *, current_id: UUID | None) -> QuerySet[Session]:
    """Return the sessions that are alive; `current` says which of them asks."""
    is_current = ExpressionWrapper(Q(pk=current_id), output_field=BooleanField())
    return alive_sessions(account_id).annotate(current=is_current)


def list_security_events(account_id: UUID) -> QuerySet[SecurityEvent]:
    """Return what the security log holds of an account, also of a deleted account."""
    return SecurityEvent.objects.filter(account_id=account_id)


def list_passkeys(account_id: UUID) -> QuerySet[Passkey]:
    """Return an account's passkeys."""
    return Passkey.objects.filter(account_id=account_id)


def second_factor_of(account: Account) -> dict[str, Any]:
    """Return the state of an account's second factor; nothing secret."""
    device = TotpDevice.objects.filter(account=account, confirmed_at__isnull=False).first()
    added = [*account.passkeys.values_list("created_at", flat=True)]
    since = [*added, device.confirmed_at] if device else added
    unused = account.recovery_codes.filter(used_at__isnull=True)
    return {
        "enabled": bool(since),
        "enabled_at": min((at for at in since if at), default=None),
        "has_app": device is not None,
        "passkeys": len(added),
        "recovery_codes_left": unused.count(),
        "is_required": settings.SECOND_FACTOR_FOR_STAFF and account.is_staff,
    }
