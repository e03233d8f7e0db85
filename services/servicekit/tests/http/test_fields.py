"""Fields that check the shape of input and guess nothing."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from servicekit.http.fields import (
    CleanCharField,
    IdField,
    LabelField,
    MoneyField,
    StrictBooleanField,
    StrictIntegerField,
)
from servicekit.http.serializers import StrictSerializer

AN_ID = "018f0000-00ab-7cde-8f00-0000000000a1"


class Inner(StrictSerializer):
    size = StrictIntegerField()


class Outer(StrictSerializer):
    name = CleanCharField(required=False)
    inner = Inner(required=False)
    id = serializers.UUIDField(read_only=True)


def code_of(field: serializers.Field[Any, Any, Any, Any], value: object) -> str:
    with pytest.raises(serializers.ValidationError) as refusal:
        field.run_validation(value)
    return str(refusal.value.detail[0].code)  # type: ignore[index, union-attr]


@pytest.mark.parametrize("value", [0, 1, -1, 2**31, 2**63, 10**30])
def test_integer_is_taken(value: int) -> None:
    assert StrictIntegerField().run_validation(value) == value


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        1.0,
        1.5,
        1e2,
        float("nan"),
        "1",
        "",
        " 1 ",
        "\u0661",
        "\uff11",
        "0x10",
        [],
        [1],
        {},
        Decimal(1),
        b"1",
    ],
)
def test_what_resembles_an_integer_is_refused(value: object) -> None:
    assert code_of(StrictIntegerField(), value) == "invalid"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, "min_value"),
        (-(2**63), "min_value"),
        (100, "max_value"),
        (10**30, "max_value"),
        (None, "null"),
    ],
)
def test_integer_out_of_bounds_is_refused(value: int | None, code: str) -> None:
    assert code_of(StrictIntegerField(min_value=1, max_value=99), value) == code


@pytest.mark.parametrize("value", [True, False])
def test_boolean_is_taken(value: bool) -> None:
    assert StrictBooleanField().run_validation(value) is value


@pytest.mark.parametrize("value", [1, 0, "true", "True", "yes", "on", "", 1.0, [], {}, [True]])
def test_what_resembles_a_boolean_is_refused(value: object) -> None:
    assert code_of(StrictBooleanField(), value) == "invalid"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0.00"),
        ("0.5", "0.50"),
        ("2.55", "2.55"),
        ("9999999999.99", "9999999999.99"),
        ("007", "7.00"),
        ("1.10", "1.10"),
    ],
)
def test_amount_is_taken_to_the_cent(text: str, amount: str) -> None:
    taken = MoneyField().run_validation(text)

    assert (taken, str(taken)) == (Decimal(amount), amount)


@pytest.mark.parametrize(
    "value",
    [
        2.55, 2, True, None, [], {}, "", " 1", "1 ", "1\n", "+1", "-1", "-0", ".5", "1.", "1.234",
        "0.001", "1,00", "1e2", "1E2",
        "NaN", "Infinity", "sNaN", "0x10", "1_000", "\u0661", "\uff11", "12345678901", "9" * 5000,
        "1.0.0", "€1", "1\0",
    ],
)  # fmt: skip
def test_what_resembles_an_amount_is_refused(value: object) -> None:
    assert code_of(MoneyField(), value) == ("null" if value is None else "invalid")


@given(st.decimals(min_value=0, max_value=Decimal("9999999999.99"), places=2))
def test_amount_survives_writing_and_reading(amount: Decimal) -> None:
    field = MoneyField()

    assert field.run_validation(field.to_representation(amount)) == amount


@given(st.text(max_size=8))
def test_any_text_is_an_amount_or_invalid(text: str) -> None:
    try:
        amount = MoneyField().run_validation(text)
    except serializers.ValidationError:
        return

    assert text.isascii()
    assert amount == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        " a ",
        "two\nlines\r\n",
        "tab\t",
        "é",
        "e\u0301",
        "日本",
        "👩\u200d👩\u200d👧",
        "עברית",
        "<b>",
        "' OR 1=1 --",
        "{{7*7}}",
        "a\u2028b",
        "a\u200fb",
    ],
)
def test_text_is_kept_as_it_came(text: str) -> None:
    assert CleanCharField().run_validation(text) == text


@pytest.mark.parametrize(
    "text",
    ["\0", "a\0b", "\x01", "\x08", "\x0b", "\x0c", "\x1b[31m", "\x1f", "\x7f", "\x80", "\x85",
    "\x9f", "a\u202eb", "\u202a",
     "\u2066a\u2069", "\ufeffa", "\ud800", "a\udfff"],
    ids=ascii,
)  # fmt: skip
def test_text_with_hidden_characters_is_refused(text: str) -> None:
    assert code_of(CleanCharField(), text) == "unclean"


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, b"a"])
def test_what_is_no_text_is_refused(value: object) -> None:
    assert code_of(CleanCharField(), value) == "invalid"


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u00a0", "\u3000"])
def test_blank_text_is_refused_unless_allowed(text: str) -> None:
    assert code_of(CleanCharField(), text) == "blank"
    assert CleanCharField(allow_blank=True).run_validation(text) == text


@pytest.mark.parametrize(("length", "taken"), [(20, True), (21, False), (10**6, False)])
def test_text_has_a_longest_length(length: int, taken: bool) -> None:
    field, text = CleanCharField(max_length=20), "é" * length

    if taken:
        assert field.run_validation(text) == text
    else:
        assert code_of(field, text) == "max_length"


def errors_of(serializer: type[StrictSerializer], data: object) -> Any:
    made = serializer(data=data)
    assert not made.is_valid()
    return made.errors


@pytest.mark.parametrize("name", ["colour", "Name", "name ", "", "__class__", "pk"])
def test_unknown_member_is_refused(name: str) -> None:
    errors = errors_of(Outer, {"name": "a", name: 1})

    assert list(errors) == [name]
    assert errors[name][0].code == "unknown_member"
    assert "name, inner, id" in errors[name][0]


def test_every_unknown_member_is_named() -> None:
    assert list(errors_of(Outer, {"z": 1, "a": 2})) == ["a", "z"]


def test_unknown_member_inside_is_refused() -> None:
    assert (
        errors_of(Outer, {"inner": {"size": 1, "colour": 2}})["inner"]["colour"][0].code
        == "unknown_member"
    )


@pytest.mark.parametrize("data", [None, [], [1], "text", 7, True])
def test_what_is_no_object_is_refused(data: object) -> None:
    assert errors_of(Inner, data)["non_field_errors"]


def test_known_members_are_taken() -> None:
    made = Outer(data={"name": "a", "inner": {"size": 1}})

    assert made.is_valid()
    assert made.validated_data == {"name": "a", "inner": {"size": 1}}


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_id_is_taken_in_any_case(change: Callable[[str], str]) -> None:
    assert IdField().run_validation(change(AN_ID)) == UUID(AN_ID)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", AN_ID[:-1], AN_ID + "0", f" {AN_ID}", f"{AN_ID}\n", AN_ID.replace("-", "")),
        *(
            f"{{{AN_ID}}}",
            f"urn:uuid:{AN_ID}",
            AN_ID.replace("0", "\u0660"),
            AN_ID.replace("-", "\u2010"),
        ),
        *(0, True, 10**40, [], {}, [AN_ID]),
    ],
)
def test_other_spellings_of_an_id_are_refused(value: object) -> None:
    assert code_of(IdField(), value) == "invalid"


@pytest.mark.parametrize(
    "text", ["\u200d", "\u200b \u2060", "\u00ad", "\u0301", "\ufe0f\u200d"], ids=ascii
)
def test_text_without_ink_is_blank(text: str) -> None:
    assert code_of(CleanCharField(), text) == "blank"


@pytest.mark.parametrize(
    "text", ["a\nb", "a\tb", "a\r", "a\u2028b", "a\u200bb", "a\u2060b"], ids=ascii
)
def test_label_is_one_line_without_invisible_spaces(text: str) -> None:
    assert CleanCharField().run_validation(text) == text
    assert code_of(LabelField(), text) == "not_a_line"


@pytest.mark.parametrize(
    "text", ["\U0001f469\u200d\U0001f467", "\u06cc\u200c\u062e", "\U000cfffe", " a "], ids=ascii
)
def test_label_keeps_what_people_write(text: str) -> None:
    assert LabelField().run_validation(text) == text
