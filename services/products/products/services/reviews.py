"""Reviews: one of each buyer, shown until staff hide it; a product keeps their average and number.

Every write locks the product before the review, and counts again under that lock: whatever happens
at once, the numbers are those of the reviews that are shown.
"""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Avg, Count
from django.utils import timezone

from products.errors import AlreadyReviewed, NotABuyer
from products.events import ReviewPublished
from products.models import Product, Purchase, Review
from products.services.authors import admit_author
from servicekit.database import violated_constraint
from servicekit.http.problems import NotFound
from servicekit.messaging.outbox import publish
from servicekit.operations import cache


def write_review(
    *, product_id: UUID, customer_id: UUID, rating: int, title: str = "", comment: str = ""
) -> Review:
    """Write a customer's review of a product and publish it.

    Raises:
        NotFound: there is no such product for sale.
        NotABuyer: no order of it by the customer was confirmed, or the account was deleted.
        AlreadyReviewed: the customer has reviewed it.
    """
    with transaction.atomic():
        admit_author(customer_id=customer_id)
        _lock_product(product_id, for_sale=True)
        if not Purchase.objects.filter(customer_id=customer_id, product_id=product_id).exists():
            raise NotABuyer("Only who bought it may review it.")
        try:
            with transaction.atomic():
                review = Review.objects.create(
                    product_id=product_id,
                    customer_id=customer_id,
                    rating=rating,
                    title=title,
                    comment=comment,
                )
        except IntegrityError as error:
            if violated_constraint(error) != "review_once":
                raise
            raise AlreadyReviewed("Edit your review of it.") from error
        _count(product_id)
        _publish(review)
    return review


def edit_review(*, review_id: UUID, customer_id: UUID, changes: dict[str, Any]) -> None:
    """Change a customer's own review; one that is hidden stays hidden.

    Raises:
        NotFound: the customer has no such review.
    """
    with transaction.atomic():
        review = _lock_review(review_id, customer_id=customer_id)
        changed = [name for name, value in changes.items() if getattr(review, name) != value]
        if not changed:
            return
        for name in changed:
            setattr(review, name, changes[name])
        _save(review, *changed)


def delete_review(*, review_id: UUID, customer_id: UUID) -> None:
    """Delete a customer's own review; the customer may write another.

    Raises:
        NotFound: the customer has no such review.
    """
    with transaction.atomic():
        review = _lock_review(review_id, customer_id=customer_id)
        review.delete()
        _count(review.product_id)


def hide_review(*, review_id: UUID, by: UUID) -> None:
    """Show a review to its customer and to staff only; hiding it again changes nothing.

    Raises:
        NotFound: there is no such review.
    """
    with transaction.atomic():
        review = _lock_review(review_id)
        if review.hidden_at is None:
            review.hidden_at, review.hidden_by = timezone.now(), by
            _save(review, "hidden_at", "hidden_by")


def restore_review(*, review_id: UUID) -> None:
    """Show a hidden review to everybody again, and publish it.

    Raises:
        NotFound: there is no such review.
    """
    with transaction.atomic():
        review = _lock_review(review_id)
        if review.hidden_at is not None:
            review.hidden_at = review.hidden_by = None
            _save(review, "hidden_at", "hidden_by")
            _publish(review)


def anonymise_review(*, review_id: UUID, product_id: UUID, author: UUID) -> None:
    """Keep a review's stars, under an author whom nobody knows; its text is gone.

    The stars alone tell nothing of anybody, and the product's average stays what buyers made it.
    """
    _lock_product(product_id)
    review = Review.objects.select_for_update().filter(pk=review_id).first()
    if review is not None:
        review.customer_id, review.title, review.comment = author, "", ""
        _save(review, "customer_id", "title", "comment")


def _lock_product(product_id: UUID, *, for_sale: bool = False) -> None:
    # A deleted product keeps its reviews, and the right to take one's own back.
    rows = Product.objects.filter(pk=product_id, **({"active": True} if for_sale else {}))
    if not rows.select_for_update(no_key=True).values_list("pk", flat=True).first():
        raise NotFound


def _lock_review(review_id: UUID, **author: UUID) -> Review:
    product_id = Review.objects.values_list("product_id", flat=True).filter(pk=review_id).first()
    if product_id is None:
        raise NotFound
    _lock_product(product_id)
    # Whose it is, is asked under the lock: the account may have been forgotten meanwhile.
    review = Review.objects.select_for_update().filter(pk=review_id, **author).first()
    if review is None:
        raise NotFound
    return review


def _save(review: Review, *changed: str) -> None:
    review.version += 1
    review.updated_at = timezone.now()
    review.save(update_fields=[*changed, "version", "updated_at"])
    _count(review.product_id)


def _count(product_id: UUID) -> None:
    shown = Review.objects.filter(product_id=product_id, hidden_at=None)
    found = shown.aggregate(number=Count("id"), average=Avg("rating"))
    Product.objects.filter(pk=product_id).update(
        rating_count=found["number"], rating_average=round(found["average"] or 0, 2)
    )
    cache.renew_after_commit()


def _publish(review: Review) -> None:
    event = ReviewPublished(
        review_id=review.pk,
        product_id=review.product_id,
        customer_id=review.customer_id,
        rating=review.rating,
        title=review.title,
        comment=review.comment,
    )
    publish(event, subject=str(review.pk), sequence=review.version)
