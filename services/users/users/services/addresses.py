"""Every write to addresses; each locks the account, one of whose addresses is the default."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from servicekit.http.problems import NotFound
from users.errors import DefaultAddressNeeded, TooManyAddresses
from users.models import MAX_ADDRESSES, Account, Address


def add_address(*, account_id: UUID, fields: dict[str, Any]) -> Address:
    """Add an address; the first is the default, whatever `fields` say.

    Raises:
        NotFound: the account is gone.
        TooManyAddresses: it has 20.
    """
    with transaction.atomic():
        _lock(account_id)
        count = Address.objects.filter(account_id=account_id).count()
        if count >= MAX_ADDRESSES:
            raise TooManyAddresses
        address = Address(account_id=account_id, **fields)
        address.is_default = address.is_default or count == 0
        if address.is_default:
            _unset_default(account_id)
        address.save(force_insert=True)
    return address


def edit_address(*, account_id: UUID, address_id: UUID, changes: dict[str, Any]) -> None:
    """Change an address; `is_default: true` makes it the default in place of the other.

    Raises:
        NotFound: the account has no such address.
        DefaultAddressNeeded: the default cannot cease to be it, unless for another.
    """
    with transaction.atomic():
        _lock(account_id)
        address = _found(account_id, address_id)
        is_default = changes.get("is_default", address.is_default)
        if address.is_default and not is_default:
            raise DefaultAddressNeeded("Make another address the default.")
        if is_default and not address.is_default:
            _unset_default(account_id)
        for name, value in changes.items():
            setattr(address, name, value)
        address.updated_at = timezone.now()
        address.save(update_fields=[*changes, "updated_at"])


def delete_address(*, account_id: UUID, address_id: UUID) -> None:
    """Delete an address; if it was the default, the newest of the others is from now on.

    Raises:
        NotFound: the account has no such address.
    """
    with transaction.atomic():
        _lock(account_id)
        address = _found(account_id, address_id)
        address.delete()
        others = Address.objects.filter(account_id=account_id)
        newest = others.order_by("-id").first()
        if address.is_default and newest is not None:
            others.filter(pk=newest.pk).update(is_default=True)


def _lock(account_id: UUID) -> None:
    rows = Account.objects.select_for_update(no_key=True).filter(pk=account_id)
    if rows.values_list("pk", flat=True).first() is None:
        raise NotFound


def _found(account_id: UUID, address_id: UUID) -> Address:
    address = Address.objects.filter(account_id=account_id, pk=address_id).first()
    if address is None:
        raise NotFound
    return address


def _unset_default(account_id: UUID) -> None:
    Address.objects.filter(account_id=account_id, is_default=True).update(is_default=False)
