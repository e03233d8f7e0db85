"""Pages by keyset hold every row once, whatever comes and goes meanwhile."""

from datetime import datetime

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from servicekit.http.pagination import KeysetPagination
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, decoded, problem
from tests.http.rows import EVERY_ORDER, NOON, ORDERS, add_rows, ids, pages_of
from tests.project.views import EventViewSet

pytestmark = pytest.mark.django_db


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
            id__in=[*leave[:5], *[each for each in seen[-1:] if each in leave]]
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
