"""What orders forgets of a deleted account.

An order names its buyer by an id alone, which leads to nobody once users has deleted the account:
orders, lines and history stay as they are, for the books
(docs/adr/0093-a-deleted-account-leaves-no-trace.md).
"""

from uuid import UUID

from orders.services.carts import forget_cart
from servicekit.http.idempotency import forget_caller


def forget_user(*, user_id: UUID) -> None:
    """Forget the user's cart and the answers to their requests; open orders run to their end."""
    forget_cart(user_id=user_id)
    forget_caller(user_id)
