"""Every read of accounts."""

from uuid import UUID

from django.db.models import QuerySet

from users.models import Account


def list_accounts() -> QuerySet[Account]:
    """Return every account, inactive accounts too, without the hashes of their passwords."""
    return Account.objects.defer("password")


def account_for_id(account_id: UUID) -> Account | None:
    """Return an active account, or None."""
    return list_accounts().filter(pk=account_id, is_active=True).first()
