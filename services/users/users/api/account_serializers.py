"""Sessions, the security log, and what an owner may ask of an account."""

from typing import Any

from rest_framework import serializers

from servicekit.http.fields import StrictBooleanField
from servicekit.http.serializers import RowSerializer, StrictSerializer
from users.api.address_serializers import AddressRead
from users.api.factors.passkey_serializers import PasskeyRead
from users.api.factors.second_factor_serializers import SecondFactorRead
from users.api.serializers import AccountRead, PasswordField


class ConfirmPassword(StrictSerializer):
    password = PasswordField()


class RevokeSessions(StrictSerializer):
    except_current = StrictBooleanField(required=False, help_text="Stay logged in here.")


class SessionRead(RowSerializer):
    id = serializers.UUIDField()
    device = serializers.CharField(help_text="What the client calls itself.")
    network = serializers.CharField(help_text="Where the log-in came from.")
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(help_text="The log-in or the last refresh.")
    expires_at = serializers.DateTimeField()
    current = serializers.BooleanField(help_text="Whether it is the session that asks.")


class SecurityEventRead(RowSerializer):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    at = serializers.DateTimeField(help_text="Of several, the last.")
    count = serializers.IntegerField(help_text="Failed log-ins of an hour are counted together.")
    network = serializers.CharField()
    device = serializers.CharField()


class StaffSecurityEventRead(SecurityEventRead):
    by = serializers.UUIDField(allow_null=True, help_text="Who of the staff did it.")


# Documents what own_account_viewsets makes; the tests check each answer against it.
class ExportRead(serializers.Serializer[Any]):
    account = AccountRead()
    addresses = AddressRead(many=True)
    sessions = SessionRead(many=True)
    second_factor = SecondFactorRead()
    passkeys = PasskeyRead(many=True)
    security_events = SecurityEventRead(many=True)
    elsewhere = serializers.DictField(
        child=serializers.CharField(), help_text="Where the rest is read, with the same token."
    )
