"""Machine clients and their tokens: what is sent, and what is answered."""

from typing import Any

from rest_framework import serializers

from servicekit.http.fields import LabelField, StrictIntegerField
from servicekit.http.serializers import StrictSerializer
from users.models import ServiceClient
from users.roles import SCOPES

DAY_SECONDS = 86_400
MAX_OVERLAP_SECONDS = 30 * DAY_SECONDS


class ClientWrite(StrictSerializer):
    name = LabelField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(SCOPES)),
        allow_empty=False,
        max_length=len(SCOPES),
    )


class ClientRotate(StrictSerializer):
    overlap_seconds = StrictIntegerField(
        min_value=0,
        max_value=MAX_OVERLAP_SECONDS,
        default=DAY_SECONDS,
        help_text="How long the present secret works beside the new one. 0 also ends its tokens.",
    )


class ClientRead(serializers.ModelSerializer[ServiceClient]):
    client_id = serializers.UUIDField(source="id", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    active = serializers.BooleanField(read_only=True)

    class Meta:
        model = ServiceClient
        fields = (
            "client_id",
            "name",
            "scopes",
            "active",
            "created_at",
            "created_by",
            "last_used_at",
            "withdrawn_at",
            "old_secret_until",
        )
        read_only_fields = fields


class ClientWithSecretRead(serializers.Serializer[Any]):
    client = ClientRead()
    client_secret = serializers.CharField(help_text="It is told now and never again.")


# The names of RFC 6749, 4.4. Unknown parameters are ignored there.
class ClientTokenWrite(serializers.Serializer[Any]):
    grant_type = serializers.ChoiceField(choices=["client_credentials"])
    scope = serializers.CharField(
        required=False, help_text="Some of the client's scopes, with spaces between; else all."
    )


class ClientTokenRead(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField()
    scope = serializers.CharField()
