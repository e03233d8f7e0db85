"""What is refused costs little more than reading it: work is counted in calls, not in time."""

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse

from servicekit.http import problems
from servicekit.http.serializers import MAX_UNKNOWN_NAMED
from servicekit.testing.client import Caller, problem


@pytest.fixture
def nobody() -> Caller:
    return Caller()


def calls_of(request: Callable[[], HttpResponse]) -> int:
    """Return how many functions are called, in Python and in C, until the answer is there."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    request()  # what is done once in a process
    gc.disable()  # other libraries have callbacks in it, whose calls are not the request's
    sys.setprofile(note)
    try:
        request()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def unknown_members(number: int) -> str:
    return json.dumps({f"m{index}": 1 for index in range(number)})


def lines(line: str) -> Callable[[int], str]:
    return lambda number: f'{{"lines": [{",".join([line] * number)}]}}'


@pytest.mark.parametrize(
    ("body", "calls_an_item"),
    [
        (unknown_members, 0.01),
        (lines("1"), 2),
        (lines("{}"), 6),
        (lines('{"x": 1}'), 6),
        (lines('"x"'), 2),
        (lambda number: json.dumps({"lines": [json.loads(unknown_members(number))] * 5}), 0.01),
        (lambda number: json.dumps({"lines": [1], "note": "\u00e9" * number}), 0.01),
        (lambda number: json.dumps({"x" * number: 1}), 0.01),
    ],
    ids=["unknown members", "numbers", "empty objects", "unknown in lines", "strings",
    "many in lines", "long text", "long name"],
)  # fmt: skip
def test_large_faulty_body_costs_little_more_than_a_small_one(
    nobody: Caller, body: Callable[[int], str], calls_an_item: float
) -> None:
    small, large = body(1000).encode(), body(11_000).encode()

    calls = [
        calls_of(lambda raw=raw: nobody.call("POST", "/basket/", raw=raw)) for raw in (small, large)
    ]  # type: ignore[misc]

    assert calls[1] - calls[0] <= 10_000 * calls_an_item + 50


def test_first_unknown_members_are_named(nobody: Caller) -> None:
    answer = nobody.call("POST", "/basket/", raw=unknown_members(5000).encode())

    errors = problem(answer, 400, "invalid")["errors"]
    assert [error["pointer"] for error in errors] == [
        f"/m{index}" for index in range(MAX_UNKNOWN_NAMED)
    ]


def test_first_faulty_items_are_named_where_they_are(nobody: Caller) -> None:
    good = {"product": "0190b7a1-5f3c-7000-8000-6f1d2c3b4a59", "quantity": 1}
    items = [good if index % 2 else 7 for index in range(5000)]

    errors = problem(nobody.post("/basket/", {"lines": items}), 400, "invalid")["errors"]

    expected = [f"/lines/{2 * index}" for index in range(problems.MAX_FIELD_ERRORS)]
    assert [error["pointer"] for error in errors] == expected


def test_what_was_sent_is_not_quoted_at_length(nobody: Caller) -> None:
    answer = nobody.post(
        "/basket/", {"lines": [{"product": "x" * 100_000, "quantity": "x" * 100_000}]}
    )

    assert len(answer.content) < 2000
