"""What customers think of what they bought."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from products.models.catalogue import Product
from servicekit.models.timestamped import Timestamped


class Review(Timestamped):
    """What a customer thinks of a product that they bought; staff may hide it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="reviews")
    customer_id = models.UUIDField()
    rating = models.SmallIntegerField()
    title = models.CharField(max_length=120, default="", blank=True)
    comment = models.TextField(default="", blank=True)
    hidden_at = models.DateTimeField(null=True)
    hidden_by = models.UUIDField(null=True)
    version = models.IntegerField(default=1)

    class Meta:
        db_table = "review"
        constraints = [
            models.UniqueConstraint(fields=["product", "customer_id"], name="review_once"),
            models.CheckConstraint(
                condition=Q(rating__gte=1, rating__lte=5), name="review_rating_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["product", "-id"], name="review_by_product", condition=Q(hidden_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rating} for {self.product_id}"


class ForgottenCustomer(models.Model):
    """A customer whose account was deleted, and who writes nothing more with a token of before."""

    customer_id = models.UUIDField(primary_key=True)
    forgotten_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "forgotten_customer"

    def __str__(self) -> str:
        return str(self.customer_id)
