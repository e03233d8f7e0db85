"""Errors as clients see them: one shape, stable codes, pointers to the fault, no internals."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    SuspiciousOperation,
    ValidationError,
)
from django.http import Http404, UnreadablePostError
from gunicorn.http.errors import InvalidChunkSize
from rest_framework import exceptions
from uuid_utils.compat import uuid7

from servicekit.auth.jwks import KeysUnavailable
from servicekit.http import problems
from servicekit.http.problems import Conflict, InvalidInput, NotFound, Problem, ServiceUnavailable
from servicekit.testing.client import Caller, problem
from tests.http.views_that_fail import BOTH, pointers

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}


class OutOfStock(Conflict):
    """Named by its class."""


class SoldOut(OutOfStock):
    """A kind of it, by the same name on the wire."""


class Renamed(Conflict):
    code = "old_name"
    title = "Its title"


@BOTH
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidInput("No."), 400, "invalid"),
        (OutOfStock("No."), 409, "out_of_stock"),
        (ServiceUnavailable(), 503, "service_unavailable"),
        (ServiceUnavailable(code="catalogue_away"), 503, "catalogue_away"),
        (KeysUnavailable(), 503, "keys_unavailable"),
        (Http404("Order 7 of Ada"), 404, "not_found"),
        (PermissionDenied("because"), 403, "permission_denied"),
        (SuspiciousOperation("of what"), 400, "invalid"),
        (BadRequest("of what"), 400, "invalid"),
        (InvalidChunkSize(b"zz"), 400, "invalid"),
        (UnreadablePostError("the client has left"), 400, "invalid"),
        (ValidationError("No."), 400, "invalid"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.ParseError(), 400, "parse_error"),
        (exceptions.ValidationError({"name": ["No."]}), 400, "invalid"),
        (exceptions.Throttled(7), 429, "too_many_requests"),
        (ZeroDivisionError("of what"), 500, "internal_error"),
        (AssertionError("of what"), 500, "internal_error"),
        (RecursionError("of what"), 500, "internal_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
@pytest.mark.filterwarnings("ignore:.*")
def test_error_is_a_problem_wherever_it_is_raised(
    nobody: Caller,
    fail_as: Callable[..., None],
    path: str,
    error: Exception,
    status: int,
    code: str,
) -> None:
    fail_as(error)

    answer = nobody.get(path)

    body = problem(answer, status, code)
    assert body.keys() >= MEMBERS
    assert body["title"]
    assert body["detail"]
    assert (body["type"], body["instance"]) == ("about:blank", path)
    assert body["request_id"] == answer["X-Request-ID"]
    assert "of what" not in answer.content.decode()
    assert "of Ada" not in answer.content.decode()


@BOTH
def test_failure_of_ours_shows_nothing_of_it(
    nobody: Caller, fail_as: Callable[..., None], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    fail_as(RuntimeError("password=hunter2 in /srv/orders/views.py"))

    answer = nobody.get(path)

    text = json.dumps(problem(answer, 500, "internal_error")).lower()
    assert not [
        word
        for word in ("hunter2", "srv", ".py", "runtimeerror", "traceback", "django")
        if word in text
    ]
    assert "hunter2" in caplog.text


@BOTH
@pytest.mark.parametrize("member", sorted(MEMBERS))
def test_members_of_a_problem_replace_no_standard_member(
    nobody: Caller, fail_as: Callable[..., None], path: str, member: str
) -> None:
    fail_as(OutOfStock("No.", members={member: "FORGED", "shortages": [1]}))

    answer = nobody.get(path)

    body = problem(answer, 409, "out_of_stock")
    assert "FORGED" not in answer.content.decode()
    assert body["shortages"] == [1]


@BOTH
def test_problem_brings_its_errors_and_headers(
    nobody: Caller, fail_as: Callable[..., None], path: str
) -> None:
    error = {"pointer": "/lines/0", "code": "gone", "detail": "It is gone."}
    fail_as(OutOfStock(errors=[error], headers={"X-Left": "3"}))

    answer = nobody.get(path)

    body = problem(answer, 409, "out_of_stock", "/lines/0")
    assert body["errors"] == [error]
    assert body["detail"] == "Out of stock"
    assert answer["X-Left"] == "3"


@BOTH
@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ServiceUnavailable(), "2"),
        (KeysUnavailable(), "2"),
        (exceptions.Throttled(6.2), "7"),
        (exceptions.Throttled(0), "1"),
    ],
)
def test_refusal_that_passes_says_when_to_ask_again(
    nobody: Caller, fail_as: Callable[..., None], path: str, error: Exception, seconds: str
) -> None:
    fail_as(error)

    assert nobody.get(path)["Retry-After"] == seconds


def test_faults_of_a_body_are_pointed_at(nobody: Caller) -> None:
    product = str(uuid7())
    lines = [
        {"product": product, "quantity": 1},
        {"product": "x", "quantity": 100},
        {"product": product, "quantity": "1", "colour": "red"},
        7,
    ]

    answer = nobody.post(
        "/basket/", {"lines": lines, "note": "a\u202eb", "price": 2.5, "a/b~c": 1.0}
    )

    assert pointers(answer) == [
        ("/lines/1/product", "invalid"),
        ("/lines/1/quantity", "max_value"),
        ("/lines/2/colour", "unknown_member"),
        ("/lines/3", "invalid"),
        ("/note", "unclean"),
        ("/price", "invalid"),
        ("/a~1b~0c", "invalid"),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/lines", "required")]),
        ({"lines": []}, [("/lines", "empty")]),
        ({"lines": {}}, [("/lines", "not_a_list")]),
        ({"lines": None}, [("/lines", "null")]),
        ([], [("", "invalid")]),
        ("text", [("", "invalid")]),
        (7, [("", "invalid")]),
        ({"lines": [{}]}, [("/lines/0/product", "required"), ("/lines/0/quantity", "required")]),
        ({"x": 1, "y~/": 2}, [("/x", "unknown_member"), ("/y~0~1", "unknown_member")]),
    ],
    ids=repr,
)
def test_fault_has_a_pointer_and_a_code(
    nobody: Caller, body: Any, expected: list[tuple[str, str]]
) -> None:
    assert pointers(nobody.post("/basket/", body)) == expected


def test_fault_of_the_whole_points_at_the_whole(nobody: Caller) -> None:
    body = {"lines": [{"product": str(uuid7()), "quantity": 1}], "note": "impossible"}

    assert pointers(nobody.post("/basket/", body)) == [("", "impossible")]


def test_many_faults_are_cut_off(nobody: Caller) -> None:
    lines = [{"product": "x", "quantity": 0}] * 5000

    assert len(pointers(nobody.post("/basket/", {"lines": lines}))) == problems.MAX_FIELD_ERRORS


def test_long_names_are_cut_off(nobody: Caller) -> None:
    answer = nobody.post("/basket/", {"x" * 100_000: 1})

    assert pointers(answer) == [("/" + "x" * 100, "unknown_member")]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (OutOfStock, (409, "out_of_stock", "Out of stock")),
        (SoldOut, (409, "out_of_stock", "Out of stock")),
        (Renamed, (409, "old_name", "Its title")),
        (NotFound, (404, "not_found", "Not found")),
        (ServiceUnavailable, (503, "service_unavailable", "Service unavailable")),
    ],
)
def test_problem_is_named_by_its_class_unless_it_states_a_name(
    kind: type[Problem], name: tuple[int, str, str]
) -> None:
    assert (kind.status_code, kind.code, kind.title) == name
