"""The shape of what clients send, and of what they get; no rule of the shop."""

from typing import Any

from rest_framework import serializers

from orders.models import MAX_LINES, MAX_QUANTITY, Status
from servicekit.http.fields import BoundedList, IdField, StrictIntegerField, StrictSerializer


class LineWrite(StrictSerializer):
    product = IdField()
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY)


class OrderWrite(StrictSerializer):
    lines = BoundedList(child=LineWrite(), allow_empty=False, max_length=MAX_LINES)


class PurchaseWrite(StrictSerializer):
    quantity = StrictIntegerField(min_value=1, max_value=MAX_QUANTITY, required=False, default=1)


# What clients get. These document; the bodies are shaped in selectors.py.


class LineRead(serializers.Serializer[Any]):
    product = serializers.UUIDField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.RegexField(r"^\d+\.\d{2}$")
    line_total = serializers.RegexField(r"^\d+\.\d{2}$")


class ShortageRead(serializers.Serializer[Any]):
    product = serializers.UUIDField()
    requested = serializers.IntegerField()
    available = serializers.IntegerField()
    reason = serializers.CharField()


class OrderRead(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    user = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Status.values)
    total = serializers.RegexField(r"^\d+\.\d{2}$")
    currency = serializers.CharField()
    lines = LineRead(many=True)
    shortages = ShortageRead(many=True, allow_null=True)
    version = serializers.IntegerField()
    placed_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class OrderPage(serializers.Serializer[Any]):
    results = OrderRead(many=True)
    next = serializers.CharField(allow_null=True)


class PurchaseRead(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["purchased", "pending"])
    order = OrderRead()


class HistoryRow(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    to = serializers.CharField()
    event = serializers.UUIDField(allow_null=True)
    note = serializers.CharField()
    at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        # A class body cannot name a field "from".
        return {**super().get_fields(), "from": serializers.CharField(allow_null=True)}


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
    """Every refusal of a placement; `order` came to be and has ended, `shortages` with `out_of_stock` only."""

    shortages = ShortageRead(many=True, required=False)
    order = OrderRead(required=False)
