"""What orders forgets of a deleted account.

An order names its buyer by an id alone, which leads to nobody once users has deleted the account:
orders, lines and history stay as they are, for the books
(docs/adr/0093-a-deleted-account-leaves-no-trace.md).
"""

from uuid import UUID

from servicekit.http.idempotency import forget_caller
from servicekit.messaging import dead_letters


def forget_user(*, user_id: UUID) -> None:
    """Forget what the user's requests were answered, and events about them that were unusable.

    Open orders run to their end.
    """
    forget_caller(user_id)
    dead_letters.erase(queue="orders.users", about=user_id, by="users.user_deleted")
