"""Fields of others' events are read as they came: nothing is guessed, completed or converted."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from servicekit.wire_types import EventCount, EventFlag, EventTime

GUESSED_TIMES = [
    1_700_000_000,
    1_700_000_000_000,
    "1700000000",
    "2026-01-01",
    "2026-01-01T10:00Z",
    "2026-01-01 10:00:00Z",
    "2026-01-01T10:00:00",
    "20260101T100000Z",
]


@pytest.mark.parametrize("value", GUESSED_TIMES)
def test_time_that_is_incomplete_or_a_number_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(EventTime).validate_python(value)


@pytest.mark.parametrize("value", ["2026-01-01T10:00:00Z", "2026-01-01T12:00:00.000+02:00"])
def test_time_of_rfc_3339_is_read_as_utc(value: str) -> None:
    assert TypeAdapter(EventTime).validate_python(value).isoformat() == "2026-01-01T10:00:00+00:00"


@pytest.mark.parametrize("value", [True, "5", 5.0, None, -1, 2**31])
def test_count_that_is_no_number_of_its_range_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(EventCount).validate_python(value)


@pytest.mark.parametrize("value", ["yes", "true", 1, 0, "", None])
def test_flag_that_is_neither_true_nor_false_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(EventFlag).validate_python(value)
