"""Reviews over HTTP: everybody reads, buyers write, staff hide."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import selectors
from products.api.permissions import ModeratesReviews, SeesHidden
from products.api.serializers import ReviewRead, ReviewWrite
from products.models import Review
from products.services import reviews
from servicekit.auth.authentication import caller_of, is_staff
from servicekit.auth.permissions import IsAuthenticatedOrReadOnly
from servicekit.http.pagination import Ordering
from servicekit.http.shared_reads import shared_read
from servicekit.http.viewsets import StrictViewSetMixin

#: A comment of 5,000 characters, each written as two escapes.
MAX_REVIEW_BYTES = 64 * 1024
REVIEW_EXAMPLE = OpenApiExample(
    "Five stars",
    {"rating": 5, "title": "Bright", "comment": "It lights the whole garden."},
    request_only=True,
)


class _ReviewMixin(StrictViewSetMixin, GenericViewSet[Review]):
    """What both views of reviews share."""

    permission_classes = (IsAuthenticatedOrReadOnly,)
    queryset = Review.objects.none()
    serializer_class = ReviewRead
    orderings = (Ordering("id", UUID, descending=True),)
    max_body_bytes = MAX_REVIEW_BYTES

    def get_queryset(self) -> QuerySet[Any]:
        """The reviews that the caller may see."""
        user = self.request.user
        viewer_id = caller_of(self.request).id if user and user.is_authenticated else None
        rows: QuerySet[Any] = selectors.list_reviews(
            viewer_id=viewer_id, is_staff=is_staff(self.request)
        )
        return rows.values(*ReviewRead.columns())

    def body(self, review_id: UUID) -> Any:
        """Return the body of a review as the caller sees it now."""
        return ReviewRead.body(get_object_or_404(self.get_queryset(), pk=review_id))


class ProductReviewViewSet(_ReviewMixin, ListModelMixin):
    """The reviews of a product."""

    def get_queryset(self) -> QuerySet[Any]:
        """Those of this product, if the caller may see it."""
        product_id = self.kwargs["product_id"]
        if not selectors.is_visible(
            product_id=product_id, is_staff=SeesHidden.allows(self.request)
        ):
            raise Http404
        return super().get_queryset().filter(product_id=product_id)

    @extend_schema(operation_id="list_reviews", description="A product's reviews, newest first.")
    @shared_read(is_the_same_for_customers=False)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The reviews that are shown, the caller's own, and for staff the hidden reviews, too."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="write_review",
        request=ReviewWrite,
        examples=[REVIEW_EXAMPLE],
        responses={201: ReviewRead},
    )
    def create(self, request: Request, product_id: UUID) -> Response:
        """Review a product that one has bought: once, after an order of it was confirmed."""
        members = self.valid(ReviewWrite)
        caller_id = caller_of(request).id
        review = reviews.write_review(product_id=product_id, customer_id=caller_id, **members)
        headers = {"Location": f"/api/reviews/{review.pk}/"}
        return Response(self.body(review.pk), 201, headers=headers)


class ReviewViewSet(_ReviewMixin, RetrieveModelMixin):
    """A review by itself: its customer edits or deletes it, staff hide it."""

    lookup_url_kwarg = "review_id"

    @extend_schema(operation_id="read_review")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One review."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(operation_id="edit_review", request=ReviewWrite)
    def partial_update(self, request: Request, review_id: UUID) -> Response:
        """Change one's own review."""
        changes = self.valid(ReviewWrite, partial=True)
        reviews.edit_review(review_id=review_id, customer_id=caller_of(request).id, changes=changes)
        return Response(self.body(review_id))

    @extend_schema(operation_id="delete_review", responses={204: None})
    def destroy(self, request: Request, review_id: UUID) -> Response:
        """Take one's own review back."""
        self.refuse_members()
        reviews.delete_review(review_id=review_id, customer_id=caller_of(request).id)
        return Response(status=204)

    @extend_schema(operation_id="hide_review", request=None, responses=ReviewRead)
    @action(detail=True, methods=["post"], permission_classes=[ModeratesReviews])
    def hide(self, request: Request, review_id: UUID) -> Response:
        """Show a review to its customer and to staff only."""
        self.refuse_members()
        reviews.hide_review(review_id=review_id, by=caller_of(request).id)
        return Response(self.body(review_id))

    @extend_schema(operation_id="restore_review", request=None, responses=ReviewRead)
    @action(detail=True, methods=["post"], permission_classes=[ModeratesReviews])
    def restore(self, request: Request, review_id: UUID) -> Response:
        """Show a hidden review to everybody again."""
        self.refuse_members()
        reviews.restore_review(review_id=review_id)
        return Response(self.body(review_id))
