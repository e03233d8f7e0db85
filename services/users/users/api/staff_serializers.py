"""What admins send about accounts."""

from typing import Any

from rest_framework import serializers

from servicekit.http.serializers import StrictSerializer
from users.roles import STAFF_ROLES


class RolesWrite(StrictSerializer):
    roles = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(STAFF_ROLES)),
        max_length=len(STAFF_ROLES),
        help_text="All of them; an empty list takes every role of staff.",
    )


class RolesRead(serializers.Serializer[Any]):
    roles = serializers.ListField(child=serializers.CharField())
