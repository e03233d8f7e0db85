"""The shape of the counts that a list can be narrowed by."""

from typing import Any

from rest_framework import serializers

from products.models import Attribute
from servicekit.http.fields import AmountField


class PriceFacet(serializers.Serializer[Any]):
    min = AmountField(allow_null=True)
    max = AmountField(allow_null=True)


class RatingFacet(serializers.Serializer[Any]):
    min_rating = serializers.IntegerField()
    count = serializers.IntegerField()


class CategoryFacet(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    count = serializers.IntegerField(help_text="In all of its branch.")


class ValueFacet(serializers.Serializer[Any]):
    value = serializers.JSONField()
    count = serializers.IntegerField()


class AttributeFacet(serializers.Serializer[Any]):
    key = serializers.CharField()
    type = serializers.ChoiceField(choices=Attribute.Type.choices)
    name = serializers.CharField()
    unit = serializers.CharField()
    min = serializers.FloatField(allow_null=True, help_text="Of numbers.")
    max = serializers.FloatField(allow_null=True, help_text="Of numbers.")
    values = ValueFacet(many=True, help_text="The most frequent first, at most 20.")


class FacetsRead(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="Products that were counted.")
    is_complete = serializers.BooleanField(
        help_text="False where there are more than 10,000; so many are counted."
    )
    price = PriceFacet()
    in_stock = serializers.IntegerField()
    rating = RatingFacet(many=True)
    categories = CategoryFacet(many=True, help_text="Below the category, or the roots.")
    attributes = AttributeFacet(many=True)
