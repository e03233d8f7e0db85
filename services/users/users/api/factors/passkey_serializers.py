"""The shape of passkeys: the JSON of WebAuthn, level 3, which browsers write and read."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from servicekit.http.fields import CleanCharField, LabelField
from servicekit.http.serializers import RowSerializer, StrictSerializer
from users.api.factors.second_factor_serializers import MAX_CHALLENGE_LENGTH, CodeField
from users.api.serializers import PasswordField
from users.models import MAX_PASSKEY_NAME_LENGTH

BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
#: Of 1,023 bytes; client data and keys are shorter than the longest of these by far.
MAX_ID_LENGTH, MAX_PART_LENGTH = 1364, 8192
MAX_TRANSPORTS = 10


@extend_schema_field({"type": "string", "pattern": f"^{BASE64URL.pattern}$"})
class Base64UrlField(CleanCharField):
    """Bytes in base64url without padding."""

    default_error_messages = {"not_base64url": "Use base64url without padding."}

    def __init__(self, *, max_length: int = MAX_PART_LENGTH, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return it as it came, or fail with code `not_base64url`."""
        text = super().to_internal_value(data)
        if not BASE64URL.fullmatch(text):
            self.fail("not_base64url")
        return text


class _Credential(serializers.Serializer[Any]):
    """What `credential.toJSON()` writes. Members that we do not read are left alone: browsers add
    some.
    """

    id = Base64UrlField(max_length=MAX_ID_LENGTH)
    rawId = Base64UrlField(max_length=MAX_ID_LENGTH)
    type = serializers.ChoiceField(["public-key"])


class AttestationResponse(serializers.Serializer[Any]):
    clientDataJSON = Base64UrlField()
    attestationObject = Base64UrlField()
    transports = serializers.ListField(
        child=CleanCharField(max_length=50), max_length=MAX_TRANSPORTS, default=list
    )


class AssertionResponse(serializers.Serializer[Any]):
    clientDataJSON = Base64UrlField()
    authenticatorData = Base64UrlField()
    signature = Base64UrlField()
    userHandle = Base64UrlField(max_length=100, required=False, allow_null=True)


class RegistrationCredential(_Credential):
    response = AttestationResponse()


class AssertionCredential(_Credential):
    response = AssertionResponse()


class CodeOrPasskey(StrictSerializer):
    """One of them; its validated members hold it as `proof` (services.factors.proofs.Proof)."""

    code = CodeField(required=False)
    passkey = AssertionCredential(required=False)

    is_proof_needed = True

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        proof = {name: attrs.pop(name) for name in ("code", "passkey") if name in attrs}
        if len(proof) > 1 or (self.is_proof_needed and not proof):
            raise serializers.ValidationError("Send either code or passkey.", "code_or_passkey")
        return {**attrs, "proof": proof}


class AnswerChallenge(CodeOrPasskey):
    challenge = CleanCharField(max_length=MAX_CHALLENGE_LENGTH)


class ProveSecondFactor(CodeOrPasskey):
    current_password = PasswordField()


class ProveFactorsOfAccount(CodeOrPasskey):
    """The password and, where the account has a second factor, that."""

    current_password = PasswordField()

    is_proof_needed = False


class AddPasskey(StrictSerializer):
    name = LabelField(max_length=MAX_PASSKEY_NAME_LENGTH)
    credential = RegistrationCredential()


class RenamePasskey(StrictSerializer):
    name = LabelField(max_length=MAX_PASSKEY_NAME_LENGTH)


class LogInWithPasskey(StrictSerializer):
    credential = AssertionCredential()


class PasskeyRead(RowSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class PasskeyAddedRead(serializers.Serializer[Any]):
    passkey = PasskeyRead()
    # With the account's first factor; shown once.
    recovery_codes = serializers.ListField(child=serializers.CharField())


class PasskeyOptionsRead(serializers.Serializer[Any]):
    # For PublicKeyCredential.parseCreationOptionsFromJSON() or parseRequestOptionsFromJSON().
    publicKey = serializers.DictField()
