"""Every read of accounts."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from users.models import CUSTOMER, STAFF, Account

FIELDS = ("id", "email", "name", "is_staff", "is_active", "email_verified", "registered_at")


def list_accounts() -> QuerySet[Any]:
    """Return every account as rows for `account_body`."""
    rows: QuerySet[Any, Any] = Account.objects.values(*FIELDS)
    return rows


def account_for_id(account_id: UUID) -> dict[str, Any] | None:
    """Return an active account's body, or None."""
    row = list_accounts().filter(pk=account_id, is_active=True).first()
    return account_body(row) if row else None


def account_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return an account as its owner and staff see it."""
    return {
        "id": str(row["id"]),
        "email": row["email"],
        "name": row["name"],
        "roles": [CUSTOMER, STAFF] if row["is_staff"] else [CUSTOMER],
        "email_verified": row["email_verified"],
        "registered_at": row["registered_at"].isoformat().replace("+00:00", "Z"),
    }
