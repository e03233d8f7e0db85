"""No cursor but ours goes on."""

import pytest
from django.test import RequestFactory
from rest_framework.request import Request
from uuid_utils.compat import uuid7

from servicekit.http.pagination import KeysetPagination
from servicekit.http.problems import InvalidInput
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, problem
from tests.http.rows import NOON, ORDERS, add_rows, cursor_of
from tests.project.views import EventViewSet

pytestmark = pytest.mark.django_db


AN_ID = str(uuid7())


AT = "created_at,id"


FORGED = {
    "empty": "",
    "blank": " ",
    "no base64": "!!!",
    "not ASCII": "é",
    "lone surrogate": "%ED%A0%80",
    "NUL": "%00",
    "padding": "====",
    "one character": "A",
    "long": "A" * 100_000,
    "no JSON": cursor_of(b"x"),
    "bad UTF-8": cursor_of(b'["\xff"]'),
    "deep": cursor_of(b"[" * 900),
    "number": cursor_of(7),
    "null": cursor_of(None),
    "text": cursor_of("abc"),
    "object": cursor_of({"a": 1, "b": 2, "c": 3}),
    "empty array": cursor_of([]),
    "two": cursor_of([AT, NOON.isoformat()]),
    "four": cursor_of([AT, NOON.isoformat(), AN_ID, 1]),
    "columns a number": cursor_of([7, NOON.isoformat(), AN_ID]),
    "columns unknown": cursor_of(["password", NOON.isoformat(), AN_ID]),
    "columns a list": cursor_of([["created_at", "id"], NOON.isoformat(), AN_ID]),
    "value null": cursor_of([AT, None, AN_ID]),
    "value a number": cursor_of([AT, 7, AN_ID]),
    "value empty": cursor_of([AT, "", AN_ID]),
    "value NUL": cursor_of([AT, NOON.isoformat() + "\0", AN_ID]),
    "value no time": cursor_of([AT, "yesterday", AN_ID]),
    "value a date": cursor_of([AT, "2026-01-01", AN_ID]),
    "value without a zone": cursor_of([AT, "2026-01-01T00:00:00", AN_ID]),
    "value in an odd zone": cursor_of([AT, "2026-01-01T00:00:00+01:02:03.000004", AN_ID]),
    "value before all time": cursor_of([AT, "0001-01-01T00:00:00+23:59", AN_ID]),
    "value in year 0": cursor_of([AT, "0000-01-01T00:00:00+00:00", AN_ID]),
    "value in year 99999": cursor_of([AT, "99999-01-01T00:00:00+00:00", AN_ID]),
    "id null": cursor_of([AT, NOON.isoformat(), None]),
    "id a number": cursor_of([AT, NOON.isoformat(), 7]),
    "id a list": cursor_of([AT, NOON.isoformat(), [AN_ID]]),
    "id no UUID": cursor_of([AT, NOON.isoformat(), "1"]),
    "id empty": cursor_of([AT, NOON.isoformat(), ""]),
    "id SQL": cursor_of([AT, NOON.isoformat(), "' OR 1=1 --"]),
    "id lone surrogate": cursor_of(b'["created_at,id", "2026-01-01T12:00:00+00:00", "\\ud800"]'),
}


FORGED_VALUES = {
    "-sequence": ["", "x", "1.5", "1e3", "0x10", "NaN", "9" * 5000, "1_0 0"],
    "price": ["", "x", "NaN", "sNaN", "Infinity", "-Infinity", "1e12", "1e400", "1e999999",
    "9" * 5000],
    "subject": ["nul\0"],
    "-id": ["", "x", "1"],
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_forged_cursor_is_refused(
    nobody: Caller, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    add_rows(3)

    answer = nobody.get(f"/events/?ordering=created_at&cursor={FORGED[name]}")

    problem(answer, 400, "invalid")
    assert "reached the database" not in caplog.text


@pytest.mark.parametrize(
    ("order", "value"),
    [(order, value) for order, values in FORGED_VALUES.items() for value in values],
)
def test_forged_value_in_a_cursor_is_refused(nobody: Caller, order: str, value: str) -> None:
    add_rows(3)
    forged = cursor_of([",".join(ORDERS[order].columns), value, AN_ID if order != "-id" else value])

    answer = nobody.get(f"/events/?ordering={order}&cursor={forged}")

    problem(answer, 400, "invalid")


@pytest.mark.parametrize(
    ("order", "value"),
    [
        ("-sequence", str(10**30)), ("-sequence", str(-(10**30))), ("-sequence", str(2**63)),
        ("price", "1e-400"),
        ("price", "-999999999999.999999999"), ("subject", ""), ("subject", "\U0001f4a9"),
        ("subject", "' OR 1=1 --"),
        ("created_at", "9999-12-31T23:59:59.999999+00:00"),
        ("created_at", "0001-01-01T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_place_at_the_edge_is_no_failure(nobody: Caller, order: str, value: str) -> None:
    """Whoever makes up a place gets what lies beyond it, and nothing breaks."""
    add_rows(3)
    forged = cursor_of([",".join(ORDERS[order].columns), value, AN_ID])

    assert nobody.get(f"/events/?ordering={order}&cursor={forged}").status_code == 200


def test_refused_cursor_raises_invalid_input() -> None:
    request = Request(RequestFactory().get("/", {"cursor": "forged"}))

    with pytest.raises(InvalidInput):
        KeysetPagination().paginate_queryset(
            OutboxEvent.objects.values("id"), request, EventViewSet()
        )
