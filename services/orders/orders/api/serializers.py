"""The shape of what clients send, and of what they get: what documents a body also makes it."""

from typing import Any

from rest_framework import serializers

from orders.models import MAX_LINES, MAX_QUANTITY, Status
from servicekit.http.fields import AmountField, IdField, StrictIntegerField
from servicekit.http.serializers import BoundedList, RowSerializer, StrictSerializer


class LineWrite(StrictSerializer):
    product = IdField()
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY)


class OrderWrite(StrictSerializer):
    lines = BoundedList(child=LineWrite(), allow_empty=False, max_length=MAX_LINES)


class PurchaseWrite(StrictSerializer):
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY, required=False, default=1)


class LineRead(RowSerializer):
    product = serializers.UUIDField(source="product_id")
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = AmountField()
    line_total = AmountField()


class ShortageRead(RowSerializer):
    product = serializers.UUIDField(source="product_id")
    requested = serializers.IntegerField()
    available = serializers.IntegerField()
    reason = serializers.CharField()


# Of a row as `selectors.with_lines` reads it, or as `place_order` has just written it.
class OrderRead(RowSerializer):
    id = serializers.UUIDField()
    user = serializers.UUIDField(source="user_id")
    status = serializers.ChoiceField(choices=Status.values)
    total = AmountField()
    currency = serializers.CharField()
    lines = LineRead(many=True)
    shortages = ShortageRead(many=True, allow_null=True)
    version = serializers.IntegerField()
    placed_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


# It only documents: `order` is a body that is made already, perhaps days ago (an idempotency key).
class PurchaseRead(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["purchased", "pending"])
    order = OrderRead()


class StateField(serializers.CharField):
    """A state; the state before the first, which is empty in its column, is null."""

    def to_representation(self, value: Any) -> Any:
        """Return the state, or None."""
        return value or None


class HistoryRow(RowSerializer):
    version = serializers.IntegerField()
    to = serializers.CharField(source="to_status")
    event = serializers.UUIDField(source="event_id", allow_null=True)
    note = serializers.CharField()
    at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; a class body cannot name one of them "from"."""
        fields = super().get_fields()
        state = StateField(source="from_status", allow_null=True)
        return {"version": fields.pop("version"), "from": state, **fields}


class HistoryRead(serializers.Serializer[Any]):
    results = HistoryRow(many=True)


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
