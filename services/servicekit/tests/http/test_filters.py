"""Filters by query parameters: each is read exactly, or the request is refused and says why."""

from typing import Any

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("test_keys")]


@pytest.fixture
def nobody() -> Caller:
    return Caller()


@pytest.fixture
def staff() -> Caller:
    return Caller("staff")


def add_event(**overrides: Any) -> str:
    row = {
        "type": "test",
        "subject": "one",
        "sequence": 1,
        "data": b"",
        "created_at": timezone.now(),
    }
    return str(OutboxEvent.objects.create(id=uuid7(), **row | overrides).id)


def found(caller: Caller, query: str) -> list[str]:
    return [row["id"] for row in decoded(caller.get(f"/events/?{query}"))["results"]]


def test_each_filter_finds_its_rows(nobody: Caller, staff: Caller) -> None:
    first, second = (
        add_event(sequence=1, type=" a%_b "),
        add_event(sequence=2, parked_at=timezone.now()),
    )

    assert found(nobody, "type=%20a%25_b%20") == [first]
    assert found(nobody, "type=a%25_b") == []
    assert found(nobody, "min_price=0.5") == [second]
    assert found(nobody, "max_price=0.25") == [first]
    assert found(nobody, "min_price=0.25&max_price=0.25") == [first]
    assert found(nobody, "sequence=2") == [second]
    assert found(nobody, f"event={first.upper()}") == [first]
    assert found(staff, "parked=true") == [second]
    assert found(staff, "parked=false") == [first]
    assert found(staff, "parked=all") == found(nobody, "") == [second, first]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("min_price=x", 'min_price is a decimal such as "2.55".'),
        ("min_price=-1", 'min_price is a decimal such as "2.55".'),
        ("max_price=1e3", 'max_price is a decimal such as "2.55".'),
        ("max_price=%D9%A1", 'max_price is a decimal such as "2.55".'),
        ("min_price=2&max_price=1", "min_price is above max_price."),
        ("type=" + "x" * 31, "type is 1 to 30 characters."),
        ("sequence=3", "sequence is one of 1, 2."),
        ("event=7", "event is an id."),
        ("event={018f000000ab7cde8f000000000000a1}", "event is an id."),
    ],
)
def test_value_that_cannot_be_read_is_refused(nobody: Caller, query: str, detail: str) -> None:
    assert problem(nobody.get(f"/events/?{query}"), 400, "invalid")["detail"] == detail


def test_filter_for_staff_is_refused_to_others(nobody: Caller, staff: Caller) -> None:
    for caller in (nobody, Caller("customer")):
        for value in ("true", "maybe"):
            body = problem(caller.get(f"/events/?parked={value}"), 400, "invalid")
            assert body["detail"] == "parked is for staff."
    body = problem(staff.get("/events/?parked=maybe"), 400, "invalid")
    assert body["detail"] == "parked is one of true, false, all."
