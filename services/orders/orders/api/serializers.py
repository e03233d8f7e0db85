"""The shape of what clients send, and of what they get: what documents a body also makes it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orders.models import MAX_LINES, MAX_NOTE_LENGTH, MAX_QUANTITY, Status
from orders.models.numbers import number_of
from servicekit.http.fields import (
    AmountField,
    CleanCharField,
    IdField,
    LabelField,
    StrictIntegerField,
    TotalField,
)
from servicekit.http.serializers import BoundedList, RowSerializer, StrictSerializer
from servicekit.postal import PostalAddress


class LineWrite(StrictSerializer):
    product = IdField()
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY)


class TermsWrite(StrictSerializer):
    """What may be sent with any order."""

    shipping_address = PostalAddress(required=False, allow_null=True)
    billing_address = PostalAddress(required=False, allow_null=True)
    note = CleanCharField(required=False, allow_blank=True, max_length=MAX_NOTE_LENGTH)
    expected_total = TotalField(
        required=False, help_text="What you were shown: at another total, nothing is placed."
    )


class OrderWrite(TermsWrite):
    lines = BoundedList(child=LineWrite(), allow_empty=False, max_length=MAX_LINES)


class PurchaseWrite(TermsWrite):
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY, required=False, default=1)


class UnitsWrite(LineWrite):
    """Units of a line of the order."""


class CancelWrite(StrictSerializer):
    reason = LabelField(
        required=False, max_length=200, help_text="Staff must say it; customers read it, too."
    )


class StaffCancelWrite(CancelWrite):
    reason = LabelField(max_length=200)


class ShipWrite(StrictSerializer):
    carrier = LabelField(required=False, allow_blank=True, max_length=100)
    tracking_number = LabelField(required=False, allow_blank=True, max_length=100)
    lines = BoundedList(
        child=UnitsWrite(),
        allow_empty=False,
        max_length=MAX_LINES,
        required=False,
        help_text="What is in the parcel; left out, it is all that is left.",
    )


class ReturnWrite(StrictSerializer):
    reason = LabelField(max_length=200)
    lines = BoundedList(
        child=UnitsWrite(),
        allow_empty=False,
        max_length=MAX_LINES,
        required=False,
        help_text="What came back; left out, it is all that was shipped.",
    )


class NumberField(serializers.CharField):
    """An order's number, of its serial."""

    def to_representation(self, value: Any) -> str:
        """Return the number."""
        return number_of(value)


@extend_schema_field(PostalAddress)
class AddressField(serializers.JSONField):
    """An address as it was sent with the order."""


class LineRead(RowSerializer):
    product = serializers.UUIDField(source="product_id")
    name = serializers.CharField()
    slug = serializers.CharField()
    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = AmountField()
    currency = serializers.CharField()
    line_total = AmountField()
    shipped = serializers.IntegerField(help_text="Of the units, as many left the house.")
    returned = serializers.IntegerField(help_text="Of those shipped, as many came back.")


class ShortageRead(RowSerializer):
    product = serializers.UUIDField(source="product_id")
    requested = serializers.IntegerField()
    available = serializers.IntegerField()
    reason = serializers.CharField()


# Of a row as `selectors.with_lines` reads it, or as `place_order` has just written it.
class OrderRead(RowSerializer):
    id = serializers.UUIDField()
    number = NumberField(source="serial", help_text="For people: digits, the last one a check.")
    user = serializers.UUIDField(source="user_id")
    status = serializers.ChoiceField(choices=Status.values)
    total = AmountField()
    currency = serializers.CharField()
    lines = LineRead(many=True)
    shortages = ShortageRead(many=True, allow_null=True)
    shipping_address = AddressField(allow_null=True)
    billing_address = AddressField(allow_null=True)
    note = serializers.CharField()
    version = serializers.IntegerField()
    placed_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


# It only documents: `order` is a body that is made already, perhaps days ago (an idempotency key).
class PurchaseRead(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["purchased", "pending"])
    order = OrderRead()


class WordField(serializers.CharField):
    """A word; none, which is empty in its column, is null: the state before the first."""

    def to_representation(self, value: Any) -> Any:
        """Return the word, or None."""
        return value or None


class HistoryRow(RowSerializer):
    version = serializers.IntegerField()
    to = serializers.CharField(source="to_status")
    event = serializers.UUIDField(source="event_id", allow_null=True)
    actor = WordField(allow_null=True, help_text="customer, staff, client, stock or time.")
    by = serializers.UUIDField(
        source="actor_id", allow_null=True, help_text="Who of the staff, for staff alone."
    )
    note = serializers.CharField()
    at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; a class body cannot name one of them "from"."""
        fields = super().get_fields()
        state = WordField(source="from_status", allow_null=True)
        return {"version": fields.pop("version"), "from": state, **fields}


class HistoryRead(serializers.Serializer[Any]):
    results = HistoryRow(many=True)


class UnitsRead(RowSerializer):
    product = serializers.UUIDField(source="product_id")
    quantity = serializers.IntegerField()


class ShipmentRead(RowSerializer):
    id = serializers.UUIDField()
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()
    shipped_at = serializers.DateTimeField()
    lines = UnitsRead(many=True)


class ProblemRead(serializers.Serializer[Any]):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(required=False)
    code = serializers.CharField()
    request_id = serializers.CharField()


class OutOfStockRead(ProblemRead):
    """Every refusal of a placement; `order` is one that has ended, `shortages` if out of stock."""

    shortages = ShortageRead(many=True, required=False)
    order = OrderRead(required=False)
