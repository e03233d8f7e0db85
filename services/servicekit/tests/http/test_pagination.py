"""Pages by keyset: every row once, whatever comes and goes meanwhile, and no cursor but ours."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.request import Request
from uuid_utils.compat import uuid7

from servicekit.http.pagination import KeysetPagination
from servicekit.http.problems import MAX_FIELD_ERRORS, InvalidInput
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from tests.project.views import EventViewSet

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORDERS = {ordering.name: ordering for ordering in EventViewSet.orderings}
EVERY_ORDER = pytest.mark.parametrize("order", sorted(ORDERS))


@pytest.fixture
def nobody() -> Caller:
    return Caller()


def add_rows(count: int, **overrides: Any) -> list[str]:
    """Rows of which each field has ties: eleven share a time, five a subject, and so on."""
    rows = [
        OutboxEvent(
            **{
                "id": UUID(str(uuid7())),
                "type": "test",
                "subject": f"it's «{n % 5}» %_\\&=+ é",
                "sequence": n % 7 - 3,
                "data": b"",
                "created_at": NOON + timedelta(microseconds=n // 11),
                **overrides,
            }
        )
        for n in range(count)
    ]
    OutboxEvent.objects.bulk_create(rows)
    return [str(row.id) for row in rows]


def pages_of(nobody: Caller, path: str) -> Iterator[list[dict[str, Any]]]:
    following: str | None = path
    while following:
        body = decoded(nobody.get(following))
        yield body["results"]
        following = body["next"]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def cursor_of(value: Any) -> str:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@EVERY_ORDER
@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_hold_every_row_once(nobody: Caller, order: str, size: int) -> None:
    added = add_rows(40)

    found = [
        row
        for rows in pages_of(nobody, f"/events/?ordering={order}&page_size={size}")
        for row in rows
    ]

    assert sorted(ids(found)) == sorted(added)


@EVERY_ORDER
def test_pages_keep_the_order(nobody: Caller, order: str) -> None:
    add_rows(40)
    wanted = ORDERS[order]

    found = [
        row for rows in pages_of(nobody, f"/events/?ordering={order}&page_size=3") for row in rows
    ]

    read = {"price": float, "created_at": datetime.fromisoformat}.get(
        wanted.field, lambda value: value
    )
    values = [(read(row[wanted.field]), row["id"]) for row in found]
    assert values == sorted(values, reverse=wanted.descending)


@EVERY_ORDER
def test_pages_hold_every_row_once_while_rows_come_and_go(nobody: Caller, order: str) -> None:
    stay, leave = add_rows(60), add_rows(60)
    seen: list[str] = []

    for rows in pages_of(nobody, f"/events/?ordering={order}&page_size=4"):
        seen += ids(rows)
        OutboxEvent.objects.filter(
            id__in=[*leave[:5], *[one for one in seen[-1:] if one in leave]]
        ).delete()
        leave = leave[5:]
        if len(seen) < 80:
            add_rows(3)

    assert len(set(seen)) == len(seen)
    assert set(stay) <= set(seen)


def test_page_goes_on_after_a_row_that_is_gone(nobody: Caller) -> None:
    """The cursor names a place, not a row."""
    add_rows(10)
    first = decoded(nobody.get("/events/?ordering=subject&page_size=3"))
    rest = [row for rows in pages_of(nobody, first["next"]) for row in rows]
    OutboxEvent.objects.filter(id__in=ids(first["results"])).delete()

    again = [row for rows in pages_of(nobody, first["next"]) for row in rows]

    assert ids(again) == ids(rest)
    assert len(again) == 7


@EVERY_ORDER
def test_ties_alone_are_paged(nobody: Caller, order: str) -> None:
    added = add_rows(25, subject="same", sequence=1, created_at=NOON)

    found = [
        row for rows in pages_of(nobody, f"/events/?ordering={order}&page_size=2") for row in rows
    ]

    assert sorted(ids(found)) == sorted(added)


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, [0]), (19, [19]), (20, [20]), (21, [20, 1]), (40, [20, 20])]
)
def test_last_page_has_no_next(nobody: Caller, count: int, sizes: list[int]) -> None:
    add_rows(count)

    assert [len(rows) for rows in pages_of(nobody, "/events/")] == sizes


def test_page_that_is_cut_short_goes_on_where_it_ends(nobody: Caller) -> None:
    """Of each page of five rows as many are shown as have less than ten in sum."""
    added = add_rows(20, sequence=3)

    found = list(pages_of(nobody, "/events/short/?page_size=5"))

    assert [len(rows) for rows in found] == [3, 3, 3, 3, 3, 3, 2]
    assert [row["id"] for rows in found for row in rows] == sorted(added, reverse=True)


def test_page_without_a_single_body_is_a_fault_of_ours(nobody: Caller) -> None:
    """There would be no place to go on after, and the rows would be lost without a word."""
    add_rows(3, sequence=10)

    problem(nobody.get("/events/short/"), 500, "internal_error")


def test_rows_may_be_instances() -> None:
    add_rows(3)
    request = Request(RequestFactory().get("/events/", {"page_size": "2"}))
    pages = KeysetPagination()

    rows = pages.paginate_queryset(OutboxEvent.objects.all(), request, EventViewSet())
    link = pages.get_paginated_response(["first", "second"]).data["next"]

    again = Request(RequestFactory().get(link))
    (rest,) = KeysetPagination().paginate_queryset(OutboxEvent.objects.all(), again, EventViewSet())
    assert sorted([*rows, rest], key=lambda row: row.id, reverse=True) == [*rows, rest]


def test_ordering_that_is_not_offered_is_refused(nobody: Caller) -> None:
    body = problem(nobody.get("/events/?ordering=-subject"), 400, "invalid")

    assert (
        body["detail"]
        == "ordering is one of -id, created_at, -created_at, subject, -sequence, price."
    )


def test_link_keeps_the_other_parameters(nobody: Caller) -> None:
    add_rows(9, type="a&b c=é")
    add_rows(9, type="other")

    found = [
        len(rows)
        for rows in pages_of(
            nobody, "/events/?type=a%26b%20c%3D%C3%A9&ordering=subject&page_size=4"
        )
    ]

    assert found == [4, 4, 1]


def test_longest_value_still_makes_a_cursor(nobody: Caller) -> None:
    for n in range(3):
        add_rows(1, subject="\N{PILE OF POO}" * 199 + str(n))

    assert [len(rows) for rows in pages_of(nobody, "/events/?ordering=subject&page_size=1")] == [
        1,
        1,
        1,
    ]


@EVERY_ORDER
@pytest.mark.parametrize("other", sorted(ORDERS))
def test_cursor_of_another_order_is_refused(nobody: Caller, order: str, other: str) -> None:
    add_rows(3)
    following = decoded(nobody.get(f"/events/?ordering={order}&page_size=1"))["next"]

    answer = nobody.get(following.replace(f"ordering={order}", f"ordering={other}"))

    assert answer.status_code == (200 if order == other else 400)


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


@pytest.mark.parametrize(("size", "count"), [("1", 1), ("99", 99), ("100", 100), ("007", 7)])
def test_page_has_the_size_asked_for(nobody: Caller, size: str, count: int) -> None:
    add_rows(120)

    assert len(decoded(nobody.get(f"/events/?page_size={size}"))["results"]) == count


@pytest.mark.parametrize(
    "size",
    [
        "0",
        "101",
        "-1",
        "+5",
        "",
        " ",
        "5 ",
        "abc",
        "1.0",
        "1e1",
        "0x5",
        "\u0665",
        "\uff15",
        "²",
        "9" * 5000,
        "null",
        "1_0",
        "1%00",
    ],
)
def test_other_page_size_is_refused(nobody: Caller, size: str) -> None:
    answer = nobody.get("/events/?page_size=" + size.replace("+", "%2B"))

    problem(answer, 400, "invalid")


@pytest.mark.parametrize(
    "query",
    [
        "unknown=1",
        "Cursor=x",
        "page=2",
        "limit=5",
        "ordering[]=id",
        "subject__startswith=a",
        "_connector=OR",
        "page_size=5&page_sizes=5",
        "=x",
        "%00=1",
        "%ff=1",
        "x" * 5000,
    ],
)
def test_unknown_parameter_is_refused(nobody: Caller, query: str) -> None:
    body = problem(nobody.get(f"/events/?{query}"), 400, "invalid")

    assert [one["code"] for one in body["errors"]] == ["unknown_parameter"]
    assert len(body["errors"][0]["detail"]) < 500
    assert (
        "cursor, event, max_price, min_price, ordering, page_size, parked, sequence, type"
        in body["detail"]
    )


@pytest.mark.parametrize(
    "query", ["page_size=5&page_size=5", "page_size=5&page_size=", "type=a&type=b&type=c"]
)
def test_repeated_parameter_is_refused(nobody: Caller, query: str) -> None:
    body = problem(nobody.get(f"/events/?{query}"), 400, "invalid")

    assert [one["code"] for one in body["errors"]] == ["repeated_parameter"]


def test_every_wrong_parameter_is_named(nobody: Caller) -> None:
    body = problem(nobody.get("/events/?a=1&b=2&type=1&type=2"), 400, "invalid")

    assert [one["code"] for one in body["errors"]] == ["unknown_parameter"] * 2 + [
        "repeated_parameter"
    ]


def test_nul_in_a_parameter_is_refused(nobody: Caller) -> None:
    body = problem(nobody.get("/events/?type=a%00b"), 400, "invalid")

    assert "NUL" in body["detail"]


def test_parameters_of_another_method_are_refused(nobody: Caller) -> None:
    problem(nobody.post("/echo/?page_size=5", {}), 400, "invalid")


def test_first_answer_is_a_page_body(nobody: Caller) -> None:
    answer: HttpResponse = nobody.get("/events/")

    assert decoded(answer) == {"results": [], "next": None}


@pytest.mark.parametrize("name", ["cursor", "page_size", "ordering", "type"])
@pytest.mark.parametrize("form", ["{}=", "{}", "{}=&{}=", "{}=&page_size=1&{}=1"])
def test_empty_parameter_is_named(nobody: Caller, name: str, form: str) -> None:
    answer = nobody.get("/events/?" + form.replace("{}", name))

    errors = problem(answer, 400, "invalid")["errors"]
    assert [one["code"] for one in errors] == [
        "empty_parameter" if form.count("{}") == 1 else "repeated_parameter"
    ]
    assert errors[0]["detail"].startswith(f"{name} ")


@pytest.mark.parametrize("query", ["type=%ff", "type=%ed%a0%80", "type=a%00", "type=%c3"])
def test_parameter_that_is_no_text_is_refused(nobody: Caller, query: str) -> None:
    problem(nobody.get(f"/events/?{query}"), 400, "invalid")


def test_first_unknown_parameters_are_named(nobody: Caller) -> None:
    query = "&".join(f"a{index}=1" for index in range(900))

    errors = problem(nobody.get(f"/events/?{query}"), 400, "invalid")["errors"]

    assert len(errors) == MAX_FIELD_ERRORS
