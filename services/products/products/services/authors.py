"""Whether who writes still has an account: a deleted account's token is good for some minutes."""

from uuid import UUID

from django.db import connection

from products.errors import NotABuyer
from products.models import ForgottenCustomer

# Of a customer, one at a time: who writes has committed before the account is forgotten, which
# then finds the text, or begins after it and is refused. There may be no row yet to lock.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def admit_author(*, customer_id: UUID) -> None:
    """Let the account not be forgotten until this transaction ends. Take it before other locks.

    Raises:
        NotABuyer: it was forgotten.
    """
    _lock(customer_id)
    if ForgottenCustomer.objects.filter(pk=customer_id).exists():
        raise NotABuyer("The account was deleted.")


def forget_author(*, customer_id: UUID) -> None:
    """Let nothing more be written under a deleted account, once this transaction has ended.

    What was written before is committed when this returns.
    """
    _lock(customer_id)
    ForgottenCustomer.objects.bulk_create(
        [ForgottenCustomer(customer_id=customer_id)], ignore_conflicts=True
    )


def _lock(customer_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"author {customer_id}"])
