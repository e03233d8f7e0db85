"""The shape of what clients send, and of what they get; no rule of the shop."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from products.models import CURRENCIES, MAX_STOCK, Category
from products.selectors import is_slug
from servicekit.http.fields import (
    CleanCharField,
    MoneyField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
)


class SlugField(CleanCharField):
    """Lower-case ASCII letters, digits and inner dashes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=100, **options)

    def to_internal_value(self, data: Any) -> str:
        slug = super().to_internal_value(data)
        if not is_slug(slug):
            raise serializers.ValidationError("Use a-z, 0-9 and dashes between them.", "invalid_slug")
        return slug


@extend_schema_field(OpenApiTypes.STR)
class CategoryField(serializers.Field[Category | None, str, str, Any]):
    """A category by its slug."""

    default_error_messages = {"unknown": "There is no such category."}

    def to_internal_value(self, data: Any) -> Category:
        category = (
            Category.objects.filter(slug=data).first() if isinstance(data, str) and is_slug(data) else None
        )
        if category is None:
            self.fail("unknown")
        return category

    def to_representation(self, value: Category | None) -> str:
        return value.slug if value else ""


class CategoryWrite(StrictSerializer):
    slug = SlugField()
    name = CleanCharField(max_length=200)
    parent = CategoryField(required=False, allow_null=True)  # type: ignore[assignment]


class ProductEdit(StrictSerializer):
    slug = SlugField()
    name = CleanCharField(max_length=200)
    description = CleanCharField(max_length=10_000, allow_blank=True, required=False)
    price = MoneyField()
    currency = serializers.ChoiceField(choices=CURRENCIES)
    active = StrictBooleanField(required=False)
    category = CategoryField(required=False, allow_null=True)


class ProductCreate(ProductEdit):
    stock = StrictIntegerField(min_value=0, max_value=MAX_STOCK, required=False)


class StockAdjust(StrictSerializer):
    delta = StrictIntegerField(min_value=-MAX_STOCK, max_value=MAX_STOCK)
    reason = CleanCharField(max_length=200)

    def validate_delta(self, delta: int) -> int:
        if delta == 0:
            raise serializers.ValidationError("Zero changes nothing.", "zero")
        return delta


# What clients get. These document; the bodies are shaped in selectors.py.


class CategoryShort(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class CategoryRead(CategoryShort):
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]


class ProductRead(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    price = serializers.RegexField(r"^\d+\.\d{2}$")
    currency = serializers.CharField()
    stock = serializers.IntegerField()
    active = serializers.BooleanField()
    category = CategoryShort(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ProductPage(serializers.Serializer[Any]):
    results = ProductRead(many=True)
    next = serializers.CharField(allow_null=True)


class CategoryPage(serializers.Serializer[Any]):
    results = CategoryRead(many=True)
    next = serializers.CharField(allow_null=True)


class MovementRead(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    quantity = serializers.IntegerField()
    order = serializers.UUIDField(allow_null=True)
    reason = serializers.CharField()
    by = serializers.UUIDField(allow_null=True)
    at = serializers.DateTimeField()


class LedgerRead(serializers.Serializer[Any]):
    stock = serializers.IntegerField()
    results = MovementRead(many=True)


class StockRead(serializers.Serializer[Any]):
    stock = serializers.IntegerField()
