"""Addresses as clients send and get them."""

from rest_framework import serializers

from servicekit.http.fields import StrictBooleanField
from servicekit.http.serializers import RowSerializer
from servicekit.postal import PostalAddress


class AddressWrite(PostalAddress):
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
