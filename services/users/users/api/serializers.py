"""The shape of what clients send, and of what they get; no rule of the shop."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from rest_framework import serializers

from servicekit.http.fields import CleanCharField, LabelField, StrictBooleanField
from servicekit.http.serializers import StrictSerializer
from users.models import MAX_EMAIL_LENGTH, Account, Language, validate_email

#: A password is capped before it is hashed; beyond the rule's own limit, so that the rule can say
#: what is wrong.
MAX_PASSWORD_LENGTH = 1024


class EmailField(CleanCharField):
    """An address, as it was typed: accounts.register stores it in its one spelling."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_EMAIL_LENGTH, validators=[validate_email], **options)


class PasswordField(CleanCharField):
    """A password, exactly as it was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": MAX_PASSWORD_LENGTH, "allow_blank": True, **options})


class Register(StrictSerializer):
    email = EmailField()
    password = PasswordField()
    name = LabelField(max_length=200, allow_blank=True, required=False)
    language = serializers.ChoiceField(Language.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_password("password", attrs["password"], Account(email=attrs["email"]))
        return attrs


class LogIn(StrictSerializer):
    email = CleanCharField(max_length=MAX_EMAIL_LENGTH)
    password = PasswordField()


class RefreshToken(StrictSerializer):
    refresh_token = CleanCharField(max_length=200)


class EditProfile(StrictSerializer):
    name = LabelField(max_length=200, allow_blank=True, required=False)
    language = serializers.ChoiceField(Language.choices, required=False)
    marketing_consent = StrictBooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Say what to change.", "required")
        return attrs


# Its context holds the account.
class ChangePassword(StrictSerializer):
    current_password = PasswordField()
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_password("new_password", attrs["new_password"], self.context["account"])
        return attrs


def check_password(name: str, password: str, account: Account) -> None:
    """Apply AUTH_PASSWORD_VALIDATORS to a member.

    Raises:
        ValidationError: naming the member and the first thing that is wrong with it.
    """
    try:
        validate_password(password, account)
    except ValidationError as error:
        raise ValidationError({name: error.error_list[:1]}) from error


class AccountRead(serializers.ModelSerializer[Account]):
    roles = serializers.ListField(child=serializers.CharField(), read_only=True)
    active = serializers.BooleanField(source="is_active", read_only=True)

    class Meta:
        model = Account
        fields = (
            "id",
            "email",
            "name",
            "roles",
            "email_verified",
            "registered_at",
            "active",
            "language",
            "marketing_consent",
            "marketing_consent_at",
        )
        read_only_fields = fields


class TokensRead(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField()
    refresh_token = serializers.CharField()
    refresh_expires_in = serializers.IntegerField()
    # Only for staff who must set it up: until then their tokens have no role of staff.
    second_factor_missing = serializers.BooleanField(required=False)


class KeyRead(serializers.Serializer[Any]):
    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    y = serializers.CharField()
    kid = serializers.CharField()
    alg = serializers.CharField()
    use = serializers.CharField()


# Documents what signing_keys.jwks makes; the tests check each answer against it.
class KeySetRead(serializers.Serializer[Any]):
    keys = KeyRead(many=True)
