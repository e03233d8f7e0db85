"""Bodies that are made by the fields that document them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from rest_framework import serializers

from servicekit.http.fields import AmountField, CleanCharField
from servicekit.http.serializers import RowSerializer

AN_ID = UUID("018f0000-00ab-7cde-8f00-0000000000a1")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Shout(CleanCharField):
    def to_representation(self, value: str) -> str:
        return value.upper()


class Shelf(RowSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class Box(RowSerializer):
    id = serializers.UUIDField()
    loud = Shout(source="name")
    price = AmountField()
    count = serializers.IntegerField()
    sealed = serializers.BooleanField()
    packed_at = serializers.DateTimeField(allow_null=True)
    owner = serializers.UUIDField(source="owner_id", allow_null=True)
    shelf = Shelf(allow_null=True)
    within = Shelf(many=True)

    def get_fields(self) -> dict[str, Any]:
        # No class body can name a field "from".
        return {**super().get_fields(), "from": serializers.CharField(source="origin.slug")}


ROW = {
    "id": AN_ID,
    "name": "box",
    "price": Decimal("3.4"),
    "count": 7,
    "sealed": False,
    "packed_at": NOON,
    "owner_id": None,
    "shelf__id": AN_ID,
    "shelf__name": "Top",
    "within": [{"id": AN_ID, "name": "In"}],
    "origin__slug": "here",
}
BODY = {
    "id": str(AN_ID),
    "loud": "BOX",
    "price": "3.40",
    "count": 7,
    "sealed": False,
    "packed_at": "2026-01-01T12:00:00Z",
    "owner": None,
    "shelf": {"id": str(AN_ID), "name": "Top"},
    "within": [{"id": str(AN_ID), "name": "In"}],
    "from": "here",
}


def test_columns_are_those_of_the_fields() -> None:
    assert Box.columns() == [
        *("id", "name", "price", "count", "sealed", "packed_at", "owner_id"),
        *("shelf__id", "shelf__name", "origin__slug"),
    ]


def test_row_becomes_a_body() -> None:
    assert Box(ROW).data == BODY
    assert Box([ROW, ROW], many=True).data == [BODY, BODY]
    assert list(Box(ROW).data) == list(BODY)


def test_body_needs_no_serializer() -> None:
    assert Box.body(ROW) == Box(ROW).data
    assert Box.bodies([ROW, ROW]) == Box([ROW, ROW], many=True).data


def test_nested_body_is_null_where_its_first_column_is() -> None:
    assert Box({**ROW, "shelf__id": None, "shelf__name": None}).data["shelf"] is None


def test_body_is_the_one_that_django_rest_framework_would_make() -> None:
    class Plain(serializers.Serializer[Any]):
        id = serializers.UUIDField()
        price = AmountField()
        packed_at = serializers.DateTimeField()
        count = serializers.IntegerField()
        sealed = serializers.BooleanField()

    plain = Plain(ROW).data

    assert {name: BODY[name] for name in plain} == plain


def test_rows_inside_a_plain_serializer_are_bodies_too() -> None:
    class Answer(serializers.Serializer[Any]):
        status = serializers.CharField()
        box = Box()

    assert Answer({"status": "packed", "box": ROW}).data == {"status": "packed", "box": BODY}


def test_field_that_reads_a_whole_object_is_refused() -> None:
    class Computed(RowSerializer):
        label = serializers.SerializerMethodField()

    with pytest.raises(TypeError, match="SerializerMethodField"):
        Computed.columns()
