"""What an account tells of itself."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from servicekit.http.problems import NotFound
from users.errors import StaleVersion
from users.models import Account
from users.services.account_events import publish_state


def edit_profile(
    *, account_id: UUID, changes: dict[str, Any], versions: frozenset[int] | None = None
) -> None:
    """Change name, language or consent; with `versions` only an account of one of them.

    Raises:
        NotFound: the account is gone.
        StaleVersion: it has another version by now; nothing was changed.
    """
    with transaction.atomic():
        rows = Account.objects.select_for_update(no_key=True)
        account = rows.filter(pk=account_id, is_active=True).first()
        if account is None:
            raise NotFound
        if versions is not None and account.version not in versions:
            raise StaleVersion("Read the account again.")
        changed = [name for name, value in changes.items() if getattr(account, name) != value]
        if not changed:
            return
        for name in changed:
            setattr(account, name, changes[name])
        if "marketing_consent" in changed:
            account.marketing_consent_at = timezone.now()
            changed.append("marketing_consent_at")
        account.version += 1
        account.save(update_fields=[*changed, "version"])
        publish_state(account)
