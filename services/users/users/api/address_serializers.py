"""Addresses as clients send and get them."""

from rest_framework import serializers

from servicekit.http.fields import LabelField, StrictBooleanField
from servicekit.http.serializers import RowSerializer, StrictSerializer
from users.models import COUNTRIES


class _Optional(LabelField):
    """A line that may be empty."""

    def __init__(self, *, max_length: int) -> None:
        super().__init__(max_length=max_length, allow_blank=True, required=False)


class AddressWrite(StrictSerializer):
    name = LabelField(max_length=200)
    line1 = LabelField(max_length=200)
    line2 = _Optional(max_length=200)
    postcode = _Optional(max_length=20)
    city = LabelField(max_length=100)
    region = _Optional(max_length=100)
    country = serializers.ChoiceField(sorted(COUNTRIES), help_text="ISO 3166-1, two letters.")
    phone = _Optional(max_length=30)
    is_default = StrictBooleanField(required=False)


class AddressRead(RowSerializer):
    id = serializers.UUIDField()
    is_default = serializers.BooleanField()
    name = serializers.CharField()
    line1 = serializers.CharField()
    line2 = serializers.CharField()
    postcode = serializers.CharField()
    city = serializers.CharField()
    region = serializers.CharField()
    country = serializers.CharField()
    phone = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
