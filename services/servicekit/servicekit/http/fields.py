"""Serializer fields that check the shape of input and guess nothing."""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from servicekit.http.identifiers import parse_id
from servicekit.http.serializers import CONVERSIONS

# C0 and C1 controls but tab and line ends, the bidi overrides that make text lie, and byte order
# marks.
UNCLEAN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
NOT_A_LINE = re.compile("[\t\n\r\u2028\u2029\u200b\u2060-\u2064]")
#: Categories of Unicode: controls, format characters, separators, marks upon other characters.
WITHOUT_INK = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"})
MONEY = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
TOTAL = re.compile(r"[0-9]{1,18}(\.[0-9]{1,2})?")


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: no string, no boolean, no 1.0 and no 1e2."""

    def to_internal_value(self, data: Any) -> int:
        """Return it, or fail with code `invalid`."""
        if type(data) is not int:
            self.fail("invalid")
        return int(data)


class IdField(serializers.UUIDField):
    """The id of something, in any case: no number, and none of the other spellings of a UUID."""

    def to_internal_value(self, data: Any) -> UUID:
        """Return it, or fail with code `invalid`."""
        try:
            return parse_id(data)
        except ValueError:
            self.fail("invalid", value=data)


class StrictBooleanField(serializers.BooleanField):
    """A JSON true or false and nothing that resembles it."""

    def to_internal_value(self, data: Any) -> bool:
        """Return it, or fail with code `invalid`."""
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return bool(data)


@extend_schema_field({"type": "string", "pattern": MONEY.pattern, "example": "2.55"})
class MoneyField(serializers.Field[Decimal, str, str, Any]):
    """An amount as a decimal string such as "2.55": up to ten digits, a point and two more."""

    default_error_messages = {"invalid": 'Use a decimal string such as "2.55".'}
    pattern = MONEY

    def to_internal_value(self, data: Any) -> Decimal:
        """Return it, or fail with code `invalid`."""
        if not isinstance(data, str) or not self.pattern.fullmatch(data):
            self.fail("invalid")
        try:
            return Decimal(data).quantize(Decimal("0.01"))
        except InvalidOperation:
            self.fail("invalid")

    def to_representation(self, value: Decimal) -> str:
        """Return it with two decimal places."""
        return f"{value:.2f}"


@extend_schema_field({"type": "string", "pattern": r"^\d+\.\d{2}$"})
class AmountField(MoneyField):
    """An amount in a body of ours: always with two decimal places, and as large as it is."""


@extend_schema_field({"type": "string", "pattern": TOTAL.pattern, "example": "6.78"})
class TotalField(MoneyField):
    """A sum of many amounts, of up to eighteen digits before the point."""

    pattern = TOTAL


# What MoneyField writes, without a Python call for each amount of a list.
CONVERSIONS[MoneyField.to_representation] = "{:.2f}".format


class CleanCharField(serializers.CharField):
    """Text without control characters, bidi overrides and lone surrogates; kept as it came."""

    default_error_messages = {
        "unclean": "Control characters and text direction overrides are not allowed."
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        """Return it, or fail with code `invalid`, `max_length` or `unclean`."""
        if not isinstance(data, str):
            self.fail("invalid")
        # Before anything looks at each character: DRF runs all validators, also on what is too
        # long.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if UNCLEAN.search(data):
            self.fail("unclean")
        if not self.allow_blank and not _has_ink(data):
            self.fail("blank")
        return str(super().to_internal_value(data))


def _has_ink(text: str) -> bool:
    """Whether anything of the text can be seen, beside separators, joiners and marks."""
    return any(unicodedata.category(character) not in WITHOUT_INK for character in text)


class LabelField(CleanCharField):
    """A line of text that people tell things apart by, such as a name.

    Joiners stay, which emoji and some scripts are written with; spaces without width do not.
    """

    default_error_messages = {"not_a_line": "Use a single line, without invisible spaces."}

    def to_internal_value(self, data: Any) -> str:
        """Return it, or fail as CleanCharField does, or with code `not_a_line`."""
        text = super().to_internal_value(data)
        if NOT_A_LINE.search(text):
            self.fail("not_a_line")
        return text
