"""The shape of what clients send, and of what they get; no rule of the shop."""

import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from products.api.attributes.attribute_serializers import AttributesField
from products.api.images.image_serializers import FileField, ImageRead
from products.api.translation_serializers import (
    CategoryTranslations,
    CategoryTranslationsField,
    ProductTranslations,
    ProductTranslationsField,
)
from products.models import CURRENCIES, MAX_STOCK, Category
from servicekit.http.fields import (
    AmountField,
    CleanCharField,
    LabelField,
    MoneyField,
    StrictBooleanField,
    StrictIntegerField,
)
from servicekit.http.serializers import RowSerializer, StrictSerializer

SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
MAX_SLUG_LENGTH = 100


class SlugField(CleanCharField):
    """Lower-case ASCII letters, digits and inner dashes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_SLUG_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        slug = super().to_internal_value(data)
        if not SLUG.fullmatch(slug):
            raise serializers.ValidationError(
                "Use a-z, 0-9 and dashes between them.", "invalid_slug"
            )
        return slug


@extend_schema_field(OpenApiTypes.STR)
class CategoryField(serializers.Field[Category | None, str, str, Any]):
    """A category by its slug."""

    default_error_messages = {"unknown": "There is no such category."}

    def to_internal_value(self, data: Any) -> Category:
        # What cannot be a slug is not asked of the database, which could not even read some of it.
        could_be = isinstance(data, str) and len(data) <= MAX_SLUG_LENGTH and SLUG.fullmatch(data)
        category = Category.objects.filter(slug=data).first() if could_be else None
        if category is None:
            self.fail("unknown")
        return category

    def to_representation(self, value: Category | None) -> str:
        return value.slug if value else ""


class CategoryWrite(StrictSerializer):
    slug = SlugField()
    name = LabelField(max_length=200)
    translations = CategoryTranslations(required=False)
    parent = CategoryField(required=False, allow_null=True)  # type: ignore[assignment]


class CategoryReplace(CategoryWrite):
    translations = CategoryTranslations(default=dict)
    parent = CategoryField(allow_null=True, default=None)


class SkuField(CleanCharField):
    """The shop's own number: ASCII letters, digits, and . _ - / after the first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=64, allow_blank=True, **options)

    def to_internal_value(self, data: Any) -> str:
        sku = super().to_internal_value(data)
        if sku and not SKU.fullmatch(sku):
            raise serializers.ValidationError(
                "Use letters, digits and . _ - / after the first.", "invalid_sku"
            )
        return sku


class ProductEdit(StrictSerializer):
    slug = SlugField(required=False)
    sku = SkuField(required=False)
    name = LabelField(max_length=200)
    description = CleanCharField(max_length=10_000, allow_blank=True, required=False)
    translations = ProductTranslations(required=False)
    attributes = AttributesField(required=False)
    price = MoneyField()
    compare_at_price = MoneyField(required=False, allow_null=True)
    low_stock_threshold = StrictIntegerField(
        min_value=0, max_value=MAX_STOCK, required=False, help_text="0 tells of no low stock."
    )
    currency = serializers.ChoiceField(choices=CURRENCIES)
    active = StrictBooleanField(required=False)
    category = CategoryField(required=False, allow_null=True)


class ProductChange(ProductEdit):
    even_with_stock = StrictBooleanField(
        required=False, help_text="Switch it off although units are left."
    )


class ProductReplace(ProductChange):
    """What is left out is as it is for a new product; only the slug stays."""

    sku = SkuField(default="")
    description = CleanCharField(max_length=10_000, allow_blank=True, default="")
    translations = ProductTranslations(default=dict)
    attributes = AttributesField(default=dict)
    compare_at_price = MoneyField(allow_null=True, default=None)
    active = StrictBooleanField(default=True)
    low_stock_threshold = StrictIntegerField(min_value=0, max_value=MAX_STOCK, default=0)
    category = CategoryField(allow_null=True, default=None)


class ProductCreate(ProductEdit):
    stock = StrictIntegerField(min_value=0, max_value=MAX_STOCK, required=False)


class ReviewWrite(StrictSerializer):
    rating = StrictIntegerField(min_value=1, max_value=5)
    title = LabelField(max_length=120, allow_blank=True, required=False)
    comment = CleanCharField(max_length=5_000, allow_blank=True, required=False)


class StockAdjust(StrictSerializer):
    delta = StrictIntegerField(min_value=-MAX_STOCK, max_value=MAX_STOCK)
    reason = CleanCharField(max_length=200)

    def validate_delta(self, delta: int) -> int:
        if delta == 0:
            raise serializers.ValidationError("Zero changes nothing.", "zero")
        return delta


# What clients get: the same fields make the bodies and document them.


class CategoryShort(RowSerializer):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class CategoryRead(CategoryShort):
    translations = CategoryTranslationsField()
    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]


class InStockField(serializers.BooleanField):
    """Whether a number of units is above zero."""

    def to_representation(self, value: Any) -> bool:
        """Return whether any are left."""
        return bool(value > 0)


class ProductRead(RowSerializer):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    sku = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    price = AmountField()
    compare_at_price = AmountField(allow_null=True)
    currency = serializers.CharField()
    stock = serializers.IntegerField()
    is_in_stock = InStockField(source="stock")
    active = serializers.BooleanField()
    category = CategoryShort(allow_null=True)
    rating_average = AmountField(help_text="0.00 without reviews.")
    rating_count = serializers.IntegerField()
    image = FileField(
        allow_null=True, help_text="Of the first image: 480 pixels wide, once that is made."
    )
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class HighlightRead(RowSerializer):
    """HTML, with <mark> around what was found, and nothing else in it."""

    name = serializers.CharField()
    description = serializers.CharField(help_text="Up to two parts of it.")


class ProductFound(ProductRead):
    highlight = HighlightRead(required=False, help_text="With `search` only.")


class ProductShort(RowSerializer):
    """What a link to a product is made of."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    price = AmountField()
    compare_at_price = AmountField(allow_null=True)
    currency = serializers.CharField()
    image = FileField(allow_null=True)
    rating_average = AmountField()


@extend_schema_serializer(many=False)
class RelatedList(serializers.Serializer[Any]):
    results = ProductShort(many=True)


class ReviewRead(RowSerializer):
    id = serializers.UUIDField()
    product = serializers.UUIDField(source="product_id")
    rating = serializers.IntegerField()
    title = serializers.CharField()
    comment = serializers.CharField()
    is_hidden = serializers.BooleanField(help_text="Shown to its customer and to staff only.")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ProductDetail(ProductRead):
    attributes = AttributesField()
    translations = ProductTranslationsField()
    category_path = CategoryShort(many=True, help_text="From the root to its category.")
    images = ImageRead(many=True)
    latest_reviews = ReviewRead(many=True)
    related = ProductShort(many=True, help_text="The first of …/related/.")


class MovementRead(RowSerializer):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    quantity = serializers.IntegerField()
    order = serializers.UUIDField(source="order_id", allow_null=True)
    reason = serializers.CharField()
    by = serializers.UUIDField(allow_null=True)
    at = serializers.DateTimeField()


class StockRead(serializers.Serializer[Any]):
    stock = serializers.IntegerField()


class LedgerRead(StockRead):
    low_stock_threshold = serializers.IntegerField()
    results = MovementRead(many=True)
