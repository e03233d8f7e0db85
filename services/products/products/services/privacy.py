"""What products forgets of a deleted account.

docs/adr/0093-a-deleted-account-leaves-no-trace.md says what stays, and why.
"""

from uuid import UUID

from uuid_utils.compat import uuid7

from products.events import ReviewPublished
from products.models import Review
from products.services import reviews
from products.services.authors import forget_author
from servicekit.http.idempotency import forget_caller
from servicekit.messaging import dead_letters, outbox_actions


def forget_user(*, user_id: UUID) -> None:
    """Keep the stars of the user's reviews, without author or text, and forget all else."""
    forget_author(customer_id=user_id)
    written = Review.objects.filter(customer_id=user_id).order_by("product_id", "id")
    found = list(written.values_list("id", "product_id"))
    for review_id, product_id in found:
        reviews.anonymise_review(review_id=review_id, product_id=product_id, author=uuid7())
    outbox_actions.erase(
        event_type=ReviewPublished.type, subjects=[str(review_id) for review_id, _ in found]
    )
    forget_caller(user_id)
    dead_letters.erase(queue="products.users", about=user_id, by="users.user_deleted")
