from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from orders.models.orders import MAX_QUANTITY
from servicekit.models.timestamped import Timestamped


class Cart(Timestamped):
    """What somebody means to buy: a customer's, or of whoever holds the signed cookie with its id.

    `version` counts its changes; `last_order_id` is the order of its latest checkout.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user_id = models.UUIDField(null=True)
    version = models.IntegerField(default=1)
    last_order_id = models.UUIDField(null=True)

    class Meta:
        db_table = "cart"
        constraints = [
            # Null is anybody: many carts belong to no account.
            models.UniqueConstraint(fields=["user_id"], name="cart_once_a_user"),
        ]
        indexes = [
            # Two, because forsaken carts are deleted after different times (purges.py).
            models.Index(
                fields=["updated_at"], name="cart_anonymous_age", condition=Q(user_id__isnull=True)
            ),
            models.Index(
                fields=["updated_at"], name="cart_customer_age", condition=Q(user_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} v{self.version}"


class CartLine(models.Model):
    """A product in a cart, with the price that it had when it was put there."""

    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    product_id = models.UUIDField()
    quantity = models.IntegerField()
    price_when_added = models.DecimalField(max_digits=12, decimal_places=2)
    added_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "cart_line"
        constraints = [
            models.UniqueConstraint(fields=["cart", "product_id"], name="cart_line_product_once"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, quantity__lte=MAX_QUANTITY),
                name="cart_line_quantity_in_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"
