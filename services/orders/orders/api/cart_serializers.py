"""Carts as clients send and get them."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from orders.api.serializers import OutOfStockRead, TermsWrite
from orders.models import MAX_QUANTITY
from servicekit.http.fields import AmountField, IdField, StrictIntegerField
from servicekit.http.serializers import RowSerializer, StrictSerializer


class QuantityWrite(StrictSerializer):
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY)


class CartLineWrite(StrictSerializer):
    product = IdField()
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY, required=False, default=1)


class CartLineRead(RowSerializer):
    product = serializers.UUIDField(source="product_id")
    name = serializers.CharField()
    slug = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = AmountField()
    currency = serializers.CharField()
    line_total = AmountField()
    price_when_added = AmountField()
    is_available = serializers.BooleanField()
    changes = serializers.ListField(
        child=serializers.ChoiceField(choices=["price_changed", "unavailable"])
    )
    added_at = serializers.DateTimeField()


@extend_schema_serializer(many=False)
class CartRead(RowSerializer):
    """`is_ready` says that a checkout would order every line; `total` is of what is for sale."""

    version = serializers.IntegerField()
    lines = CartLineRead(many=True)
    total = AmountField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    is_ready = serializers.BooleanField()


class CheckoutWrite(TermsWrite):
    """What a checkout adds to the cart."""


class CheckoutRefused(OutOfStockRead):
    """Every refusal of a checkout; `order_id` is the cart's latest order, if the cart is empty."""

    order_id = serializers.UUIDField(required=False)
