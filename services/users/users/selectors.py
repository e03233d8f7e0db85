"""Every read of accounts, their sessions, and machine clients."""

from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from users.models import Account, ServiceClient, Session


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
