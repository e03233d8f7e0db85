"""Rows for tests."""

from itertools import count
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group

from users.models import Account
from users.roles import ADMIN
from users.services import accounts

PASSWORD = "a long enough one"
_numbers = count(1)


def make_account(account_id: UUID | None = None, **overrides: Any) -> Account:
    """Return a registered account; `overrides` are written over its columns.

    `roles` are of staff; `is_staff` alone makes an admin.
    """
    roles = overrides.pop("roles", [ADMIN] if overrides.get("is_staff") else [])
    account = accounts.register(
        email=overrides.pop("email", f"ada-{next(_numbers)}@example.org"),
        password=overrides.pop("password", PASSWORD),
        name=overrides.pop("name", "Ada"),
        # A token of a mail would stay behind with the id that the account had first.
        is_asked_to_verify=not account_id,
    )
    if account_id:
        overrides["id"] = account_id
    if roles:
        account.groups.add(*(Group.objects.get_or_create(name=role)[0] for role in roles))
        overrides["is_staff"] = True
    if overrides:
        Account.objects.filter(pk=account.pk).update(**overrides)
    return Account.objects.get(email=account.email)
