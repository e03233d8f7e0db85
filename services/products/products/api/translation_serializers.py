"""What products, categories and attributes are called in languages other than English."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from servicekit.http.fields import CleanCharField, LabelField
from servicekit.http.serializers import StrictSerializer


class CategoryWording(StrictSerializer):
    name = LabelField(max_length=200, required=False)


class CategoryTranslations(StrictSerializer):
    """By language; what is left out of one is as in English."""

    de = CategoryWording(required=False)


class ProductWording(CategoryWording):
    description = CleanCharField(max_length=10_000, allow_blank=True, required=False)


class ProductTranslations(StrictSerializer):
    """By language; what is left out of one is as in English."""

    de = ProductWording(required=False)


@extend_schema_field(CategoryTranslations)
class CategoryTranslationsField(serializers.JSONField):
    """Names in other languages, as they were sent."""


@extend_schema_field(ProductTranslations)
class ProductTranslationsField(serializers.JSONField):
    """Names and descriptions in other languages, as they were sent."""
