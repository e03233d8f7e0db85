"""Close an account for its owner, or delete it with every personal datum that users holds.

What is kept leads to nobody: the security log, without networks and devices, and the ids in events.
The other services learn of it by an event (docs/adr/0093-a-deleted-account-leaves-no-trace.md).
"""

from typing import Unpack
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from servicekit.mails import writing
from servicekit.messaging.outbox import publish
from servicekit.models import OutboxEvent
from users.errors import WrongPassword
from users.events import UserDeleted
from users.models import Account, MailRequest, RefreshToken
from users.services import accounts, login_attempts, registration, security_log
from users.services.roles import keep_an_admin
from users.services.security_log import Kind, Origin
from users.services.sessions import end_sessions

#: Events of releases before that hold an address; nobody reads them.
PERSONAL_EVENTS = ("users.user_registered.v1",)


def deactivate_oneself(*, account_id: UUID, password: str, **origin: Unpack[Origin]) -> None:
    """Deactivate the account whose owner asks for it; staff can reactivate it.

    Raises:
        TooManyAttempts: the password was guessed at too often.
        WrongPassword: it is not the account's.
        LastAdmin: nobody else would be an admin.
    """
    account = accounts.confirm_password(account_id=account_id, password=password, **origin)
    with transaction.atomic():
        keep_an_admin(account_id=account_id)
        accounts.deactivate(account=account, **origin)


def delete_oneself(*, account_id: UUID, password: str, **origin: Unpack[Origin]) -> None:
    """Delete the account whose owner asks for it.

    Raises:
        TooManyAttempts: the password was guessed at too often.
        WrongPassword: it is not the account's.
        LastAdmin: nobody else would be an admin.
    """
    checked = accounts.confirm_password(account_id=account_id, password=password, **origin)
    with transaction.atomic():
        keep_an_admin(account_id=account_id)
        is_deleted = _delete(account_id, password=checked.password)
    if not is_deleted:
        raise WrongPassword  # it was changed meanwhile


def delete_account(*, account: Account) -> bool:
    """Delete an account as operators may; return whether it was there."""
    return _delete(account.pk)


def _delete(account_id: UUID, **expected: str) -> bool:
    with transaction.atomic():
        rows = Account.objects.select_for_update().filter(pk=account_id, **expected)
        account = rows.first()
        if account is None:
            return False
        # In the sequence in which a refresh locks them, which would else wait in a circle.
        tokens = RefreshToken.objects.filter(session__account=account).order_by("id")
        list(tokens.select_for_update(of=["self"]).values_list("id"))
        end_sessions(account=account, reason="deleted")
        security_log.anonymise(account_id=account_id)
        security_log.record(Kind.DELETED, account_id=account_id)
        OutboxEvent.objects.filter(subject=str(account_id), type__in=PERSONAL_EVENTS).delete()
        login_attempts.forget(email=account.email)
        MailRequest.objects.filter(email=account.email).delete()
        registration.forget(email=account.email)
        writing.withdraw(recipient=account.email, about=account_id)
        version = account.version + 1
        account.delete()
        event = UserDeleted(user_id=account_id, deleted_at=timezone.now())
        publish(event, subject=str(account_id), sequence=version)
    return True
