"""The shape of bulk operations: what staff ask for, and how far it is."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from products.api.filters import BranchFilter, BulkFilterSet, list_matching
from products.api.serializers import CategoryField
from products.models import BulkOperation, Category
from servicekit.http.fields import CleanCharField, MoneyField, StrictBooleanField
from servicekit.http.filters import ChoiceFilter, FlagFilter, MoneyFilter
from servicekit.http.problems import InvalidInput
from servicekit.http.serializers import RowSerializer, StrictSerializer

Kind = BulkOperation.Kind
PERCENT = re.compile(r"-?[0-9]{1,4}(\.[0-9]{1,2})?")
SIGNED_MONEY = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,2})?")
MAX_PERCENT = 1000
#: Of a filter that names no length of its own.
MAX_TEXT = 1000
KINDS = (Kind.CHANGE_PRICES.value, Kind.ACTIVATE.value, Kind.DEACTIVATE.value)


class SignedField(serializers.Field[Decimal, str, str, Any]):
    """A decimal string that is not zero, with up to two decimal places."""

    pattern: re.Pattern[str]
    default_error_messages = {
        "invalid": 'Use a decimal string such as "5.00" or "-2.5".',
        "zero": "Zero changes nothing.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not self.pattern.fullmatch(data):
            self.fail("invalid")
        value = Decimal(data)
        if not value:
            self.fail("zero")
        return value

    def to_representation(self, value: Decimal) -> str:
        return str(value)


@extend_schema_field({"type": "string", "pattern": PERCENT.pattern, "example": "5.00"})
class PercentField(SignedField):
    """A change in percent: above -100, at most 1000."""

    pattern = PERCENT
    default_error_messages = {"out_of_bounds": f"Above -100, at most {MAX_PERCENT}."}

    def to_internal_value(self, data: Any) -> Decimal:
        percent = super().to_internal_value(data)
        if not -100 < percent <= MAX_PERCENT:
            self.fail("out_of_bounds")
        return percent


@extend_schema_field({"type": "string", "pattern": SIGNED_MONEY.pattern, "example": "-0.50"})
class SignedAmountField(SignedField):
    """A change by an amount of money."""

    pattern = SIGNED_MONEY


class BranchField(CategoryField):
    """The slug of a category that exists; those below it are taken, too."""

    def to_internal_value(self, data: Any) -> Any:
        category = super().to_internal_value(data)
        return category.slug if isinstance(category, Category) else category


class BulkFilter(StrictSerializer):
    """Which products: each member narrows it; `{}` is every product, also those not for sale.

    Its members are the filters of the list, read as JSON has them.
    """

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return a field for each filter."""
        return {name: _member(filter_) for name, filter_ in BulkFilterSet.base_filters.items()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Look at the values together, and whether there is what they name."""
        if {"min_price", "max_price"} <= attrs.keys() and attrs["min_price"] > attrs["max_price"]:
            raise _fault("min_price", "above_max_price", "It is above max_price.")
        try:
            list_matching(attrs)
        except InvalidInput as refusal:
            raise serializers.ValidationError(str(refusal.detail)) from refusal
        return attrs


def _member(filter_: Any) -> serializers.Field[Any, Any, Any, Any]:
    options = {"required": False, "help_text": filter_.extra["help_text"]}
    if isinstance(filter_, BranchFilter):
        return BranchField(**options)
    if isinstance(filter_, MoneyFilter):
        return MoneyField(**options)
    if isinstance(filter_, FlagFilter):
        return StrictBooleanField(**options)
    if isinstance(filter_, ChoiceFilter):
        return serializers.ChoiceField(choices=filter_.extra["choices"], **options)
    return CleanCharField(max_length=filter_.extra.get("max_length", MAX_TEXT), **options)


class BulkOperationWrite(StrictSerializer):
    """What to do, and with which products."""

    kind = serializers.ChoiceField(choices=KINDS)
    filter = BulkFilter()
    percent = PercentField(required=False, help_text="change_prices: this, or amount.")
    amount = SignedAmountField(
        required=False, help_text="change_prices: this, or percent; filter.currency is needed."
    )
    even_with_stock = StrictBooleanField(
        required=False, help_text="deactivate: also those with units left."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Look which members go with the kind."""
        kind = attrs["kind"]
        for name, its_kind in MEMBER_OF.items():
            if name in attrs and kind != its_kind:
                raise _fault(name, "unknown_member", f"It belongs to {its_kind}.")
        if kind == Kind.CHANGE_PRICES:
            _check_change(attrs)
        return attrs


MEMBER_OF = {
    "percent": Kind.CHANGE_PRICES.value,
    "amount": Kind.CHANGE_PRICES.value,
    "even_with_stock": Kind.DEACTIVATE.value,
}


def _check_change(members: Mapping[str, Any]) -> None:
    if ("percent" in members) == ("amount" in members):
        raise _fault("percent", "one_of", "Give percent or amount, and not both.")
    if "amount" in members and "currency" not in members["filter"]:
        detail = "An amount is of one currency."
        raise serializers.ValidationError(
            {"filter": {"currency": [serializers.ErrorDetail(detail, "required")]}}
        )


def _fault(name: str, code: str, detail: str) -> serializers.ValidationError:
    return serializers.ValidationError({name: [serializers.ErrorDetail(detail, code)]})


class BulkOperationRead(RowSerializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    state = serializers.ChoiceField(choices=BulkOperation.State.choices)
    parameters = serializers.JSONField(help_text="As they were sent.")
    undoes = serializers.UUIDField(source="undoes_id", allow_null=True)
    by = serializers.UUIDField(allow_null=True, help_text="Null for the command line.")
    total = serializers.IntegerField(
        allow_null=True, help_text="Products, or lines of a file; null until they were counted."
    )
    done = serializers.IntegerField(help_text="Looked at so far; what is not counted below stayed.")
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Lines that say what an earlier line said.")
    failed = serializers.IntegerField(help_text="Left as they were; `…/errors/` says why.")
    error = serializers.CharField(help_text="Why it failed as a whole; empty if it did not.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class BulkErrorRead(RowSerializer):
    id = serializers.UUIDField()
    product = serializers.UUIDField(source="product_id", allow_null=True)
    line = serializers.IntegerField(
        allow_null=True, help_text="Of the file, the header being 1; an element's number in JSON."
    )
    pointer = serializers.CharField(help_text="JSON Pointer (RFC 6901) to the member.")
    code = serializers.CharField()
    detail = serializers.CharField()
