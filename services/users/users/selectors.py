"""Every read of accounts."""

from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from users.models import Account, Address, SecurityEvent, Session


def list_accounts() -> QuerySet[Account]:
    """Return every account, inactive accounts too, without the hashes of their passwords."""
    return Account.objects.defer("password")


def account_for_id(account_id: UUID) -> Account | None:
    """Return an active account, or None."""
    return list_accounts().filter(pk=account_id, is_active=True).first()


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
