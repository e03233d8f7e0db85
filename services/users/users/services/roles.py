"""Who is staff, and with which roles: Django groups. A change ends the account's sessions, whose
tokens tell the old roles.

Through the API an admin decides, and one admin stays; operators at a shell are bound by neither.
"""

import logging
from collections.abc import Set
from typing import Unpack
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet

from servicekit.auth.permissions import MissingRole
from servicekit.http.problems import NotFound
from users.errors import LastAdmin
from users.models import Account
from users.roles import ADMIN, STAFF_ROLES
from users.services import accounts, security_log
from users.services.account_events import publish_state
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions

logger = logging.getLogger(__name__)


def set_roles(*, account_id: UUID, roles: Set[str], by: UUID, **origin: Unpack[Origin]) -> Account:
    """Give an account these staff roles and no others; without any it is staff no more.

    Raises:
        MissingRole: `by` is no admin now, whatever the token says that was issued earlier.
        NotFound: there is no such account.
        LastAdmin: nobody else would be an admin.
    """
    with transaction.atomic():
        account = _locked_for(by, account_id)
        if ADMIN not in roles:
            keep_an_admin(account_id=account_id)
        _write(account, frozenset(roles), by=by, **origin)
    return account


def deactivate(*, account_id: UUID, by: UUID, **origin: Unpack[Origin]) -> Account:
    """Refuse an account from now on; its sessions end, in every service within seconds.

    Raises:
        MissingRole: `by` is no admin now.
        NotFound: there is no such account.
        LastAdmin: nobody else would be an admin.
    """
    with transaction.atomic():
        account = _locked_for(by, account_id)
        keep_an_admin(account_id=account_id)
        accounts.deactivate(account=account, by=by, **origin)
        account.refresh_from_db()
    return account


def reactivate(*, account_id: UUID, by: UUID, **origin: Unpack[Origin]) -> Account:
    """Let a deactivated account log in again.

    Raises:
        MissingRole: `by` is no admin now.
        NotFound: there is no such account.
    """
    with transaction.atomic():
        account = _locked_for(by, account_id)
        accounts.reactivate(account=account, by=by, **origin)
        account.refresh_from_db()
    return account


def check_admin(account_id: UUID) -> None:
    """Ask whether an account is an admin now, and let nobody change that before the transaction
    ends. A token tells what was: for up to a second it passes after a demotion.

    Raises:
        MissingRole: it is not.
    """
    if not _admins().select_for_update(of=["self"], no_key=True).filter(pk=account_id).exists():
        raise MissingRole({ADMIN})


def keep_an_admin(*, account_id: UUID) -> None:
    """Make sure that the shop has an admin without this account. Call it first in a transaction
    that takes the account away.

    Raises:
        LastAdmin: it is the only admin.
    """
    if not _admins().filter(pk=account_id).exists():
        return
    _lock_admins()
    if not _admins().exclude(pk=account_id).exists():
        raise LastAdmin


def make_staff(*, account: Account, role: str = ADMIN) -> bool:
    """Add a staff role, as operators may; return whether that is new."""
    with transaction.atomic():
        _lock_admins()
        locked = Account.objects.select_for_update().get(pk=account.pk)
        return _write(locked, _roles_of(locked) | {role})


def revoke_staff(*, account: Account, role: str = "") -> bool:
    """Take a staff role back, or all of them, as operators may; return whether the account had it.

    Whoever has none left is staff no more, nor a superuser.
    """
    with transaction.atomic():
        _lock_admins()
        locked = Account.objects.select_for_update().get(pk=account.pk)
        left = _roles_of(locked) - {role} if role else frozenset[str]()
        return _write(locked, left)


def _lock_admins() -> None:
    """Let one change of staff at a time decide: of two admins who take each other's role at once,
    the second must see what the first has done.
    """
    Group.objects.select_for_update(no_key=True).get_or_create(name=ADMIN)


def _locked_for(by: UUID, account_id: UUID) -> Account:
    _lock_admins()
    if not _admins().filter(pk=by).exists():
        raise MissingRole({ADMIN})
    account = Account.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise NotFound
    return account


def _admins() -> QuerySet[Account]:
    return Account.objects.filter(groups__name=ADMIN, is_staff=True, is_active=True)


def _roles_of(account: Account) -> frozenset[str]:
    names = account.groups.values_list("name", flat=True)
    return frozenset(names).intersection(STAFF_ROLES)


def _write(
    account: Account, roles: frozenset[str], *, by: UUID | None = None, **origin: Unpack[Origin]
) -> bool:
    """Write the roles of a locked account and end its sessions; return whether they changed."""
    before = _roles_of(account)
    if before == roles and account.is_staff == bool(roles):
        return False
    _write_groups(account, before, roles)
    account.is_staff = bool(roles)
    account.is_superuser = account.is_superuser and ADMIN in roles
    account.version += 1
    account.save(update_fields=["is_staff", "is_superuser", "version"])
    end_sessions(account=account, reason="role")
    security_log.record(Kind.ROLES_CHANGED, account_id=account.pk, by=by, **origin)
    publish_state(account)
    logger.info(
        "roles changed",
        extra={
            "account": str(account.pk),
            "by": str(by) if by else "operator",
            "before": sorted(before),
            "after": sorted(roles),
        },
    )
    return True


def _write_groups(account: Account, before: frozenset[str], after: frozenset[str]) -> None:
    account.groups.remove(*Group.objects.filter(name__in=before - after))
    account.groups.add(
        *(Group.objects.get_or_create(name=name)[0] for name in sorted(after - before))
    )
