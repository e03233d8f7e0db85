"""The shape of attributes, and of what products have of them."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from products.api.translation_serializers import CategoryTranslations, CategoryTranslationsField
from products.models import Attribute
from servicekit.http.fields import CleanCharField, LabelField
from servicekit.http.serializers import RowSerializer, StrictSerializer

KEY = re.compile(r"[a-z][a-z0-9_]{0,49}")
MAX_ATTRIBUTES = 50
#: Below it, integers and floating point numbers are the same in all clients.
MAX_NUMBER = 2**53


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_ATTRIBUTES,
        "additionalProperties": {"type": ["string", "number", "boolean"]},
        "example": {"colour": "white", "height": 12.5, "is_foldable": False},
    }
)
class AttributesField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """Values by the keys of attributes; whether each is of its attribute's type is no matter of
    shape.
    """

    default_error_messages = {
        "invalid": "Use an object of strings, numbers, true and false.",
        "too_many": f"At most {MAX_ATTRIBUTES}.",
    }
    text = CleanCharField(max_length=200)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        if len(data) > MAX_ATTRIBUTES:
            self.fail("too_many")
        return {self._key(key): self._value(value) for key, value in data.items()}

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value

    def _key(self, key: Any) -> str:
        if not KEY.fullmatch(key):
            self.fail("invalid")
        return str(key)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text.run_validation(value)
        is_number = isinstance(value, int | float) and abs(value) <= MAX_NUMBER
        if not (is_number or isinstance(value, bool)):
            self.fail("invalid")
        return value


class KeyField(CleanCharField):
    """A lower-case ASCII letter, and then letters, digits and underscores."""

    def to_internal_value(self, data: Any) -> str:
        key = super().to_internal_value(data)
        if not KEY.fullmatch(key):
            raise serializers.ValidationError(
                "Use a-z, 0-9 and _, a letter first; at most 50.", "invalid_key"
            )
        return key


class AttributeEdit(StrictSerializer):
    name = LabelField(max_length=200)
    translations = CategoryTranslations(required=False)
    unit = CleanCharField(max_length=20, allow_blank=True, required=False)


class AttributeWrite(AttributeEdit):
    key = KeyField()
    type = serializers.ChoiceField(choices=Attribute.Type.choices)


class AttributeRead(RowSerializer):
    id = serializers.UUIDField()
    key = serializers.CharField()
    type = serializers.ChoiceField(choices=Attribute.Type.choices)
    name = serializers.CharField()
    translations = CategoryTranslationsField()
    unit = serializers.CharField(help_text="Of numbers.")
