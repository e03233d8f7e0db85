"""Every read of accounts and machine clients."""

from uuid import UUID

from django.db.models import QuerySet

from users.models import Account, ServiceClient


def list_accounts() -> QuerySet[Account]:
    """Return every account, inactive accounts too, without the hashes of their passwords."""
    return Account.objects.defer("password")


def list_clients() -> QuerySet[ServiceClient]:
    """Return every machine client, withdrawn clients too, without the hashes of their secrets."""
    return ServiceClient.objects.defer("secret_digest", "old_secret_digest")


def account_for_id(account_id: UUID) -> Account | None:
    """Return an active account, or None."""
    return list_accounts().filter(pk=account_id, is_active=True).first()
