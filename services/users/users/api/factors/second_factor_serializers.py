"""The shape of what clients send about second factors, and of what they get."""

import re
from typing import Any, ClassVar

from rest_framework import serializers

from servicekit.http.fields import CleanCharField
from servicekit.http.serializers import StrictSerializer
from users.services.factors.second_factor_codes import APP_CODE, RECOVERY_CODE

#: A recovery code has 24 letters and digits and five hyphens; people add blanks.
MAX_CODE_LENGTH = 40
SEPARATORS = str.maketrans("", "", " -")
MAX_CHALLENGE_LENGTH = 100


class AppCodeField(CleanCharField):
    """The code of an app, in ASCII digits; blanks and hyphens are dropped."""

    default_error_messages = {"invalid_code": "Use the six digits of the app."}
    patterns: ClassVar[tuple[re.Pattern[str], ...]] = (APP_CODE,)

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_CODE_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the code without separators, in lower case."""
        code = super().to_internal_value(data).translate(SEPARATORS).lower()
        if not any(pattern.fullmatch(code) for pattern in self.patterns):
            self.fail("invalid_code")
        return code


class CodeField(AppCodeField):
    """The code of an app, or a recovery code in any case."""

    default_error_messages = {
        "invalid_code": "Use the six digits of the app, or the 24 characters of a recovery code."
    }
    patterns = (APP_CODE, RECOVERY_CODE)


class ConfirmSecondFactor(StrictSerializer):
    code = AppCodeField()


class SecondFactorRead(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    enabled_at = serializers.DateTimeField(allow_null=True)
    has_app = serializers.BooleanField()
    # How many.
    passkeys = serializers.IntegerField()
    recovery_codes_left = serializers.IntegerField()
    # Whether the account's roles of staff wait for it.
    is_required = serializers.BooleanField()


class SetUpRead(serializers.Serializer[Any]):
    secret = serializers.CharField()
    otpauth_uri = serializers.CharField()


class RecoveryCodesRead(serializers.Serializer[Any]):
    recovery_codes = serializers.ListField(child=serializers.CharField())


class LogInRefusedRead(serializers.Serializer[Any]):
    """The refusal of a log-in; with code `second_factor_required` it has a challenge."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(required=False)
    code = serializers.CharField()
    request_id = serializers.CharField()
    challenge = serializers.CharField(required=False)
    expires_in = serializers.IntegerField(required=False)
    # For navigator.credentials.get(), where the account has a passkey.
    passkey = serializers.DictField(required=False)
    # With code `wrong_code` or `wrong_passkey`.
    tries_left = serializers.IntegerField(required=False)
