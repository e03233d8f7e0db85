"""Errors as clients see them: one shape, stable codes, pointers to the fault, no internals."""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    SuspiciousOperation,
    ValidationError,
)
from django.db import connection, connections, transaction
from django.http import Http404, HttpResponse, UnreadablePostError
from django.test import RequestFactory
from gunicorn.http.errors import InvalidChunkSize
from rest_framework import exceptions
from uuid_utils.compat import uuid7

from servicekit.auth.jwks import KeysUnavailable
from servicekit.http import problems
from servicekit.http.parsers import MAX_BODY_BYTES
from servicekit.http.problems import Conflict, InvalidInput, NotFound, Problem, ServiceUnavailable
from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, problem
from servicekit.testing.faults import database_away
from tests.project.views import Failing

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}
BOTH = pytest.mark.parametrize("path", ["/failing/", "/plain/"])


class OutOfStock(Conflict):
    """Named by its class."""


class SoldOut(OutOfStock):
    """A kind of it, by the same name on the wire."""


class Renamed(Conflict):
    code = "old_name"
    title = "Its title"


@pytest.fixture
def nobody() -> Caller:
    return Caller()


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Say what the test project's views shall do."""
    return lambda fail: monkeypatch.setattr(Failing, "fail", staticmethod(fail), raising=False)


@pytest.fixture
def fail_as(fail_with: Callable[..., None]) -> Callable[[BaseException], None]:
    def choose(error: BaseException) -> None:
        def fail() -> None:
            raise error

        fail_with(fail)

    return choose


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    with database_away():
        yield


def pointers(answer: HttpResponse) -> list[tuple[str, str]]:
    return [(one["pointer"], one["code"]) for one in problem(answer, 400, "invalid")["errors"]]


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
    "path",
    [
        "/",
        "/nowhere/",
        "/failing",
        "/open//",
        "/%00/",
        "/%ff/",
        "/%ed%a0%80/",
        "/../",
        "/" + "x" * 5000,
        "/é\u2028/",
    ],
)
def test_unknown_address_is_not_found(nobody: Caller, path: str) -> None:
    answer = nobody.get(path)

    body = problem(answer, 404, "not_found")
    assert len(body["instance"]) <= 200
    assert "tried" not in body["detail"]


def test_wrong_method_names_the_right_ones(nobody: Caller) -> None:
    answer = nobody.delete("/echo/")

    problem(answer, 405, "method_not_allowed")
    assert {name.strip() for name in answer["Allow"].split(",")} == {"POST", "OPTIONS"}


@pytest.mark.parametrize("method", ["TRACE", "FOO", "get", "PROPFIND"])
def test_invented_method_is_not_allowed(nobody: Caller, method: str) -> None:
    answer = nobody.call(method, "/echo/")

    problem(answer, 405, "method_not_allowed")
    assert answer.has_header("Allow")


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "image/*"])
def test_other_format_is_not_acceptable(nobody: Caller, accept: str) -> None:
    problem(nobody.get("/open/", Accept=accept), 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "application/*", "text/html, */*;q=0.1"]
)
def test_json_is_acceptable(nobody: Caller, accept: str) -> None:
    assert nobody.get("/open/", Accept=accept)["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/jsonx",
        "json",
        "/",
        "rubbish",
    ],
)
def test_other_media_type_is_refused(nobody: Caller, content_type: str) -> None:
    answer = nobody.call("POST", "/echo/", raw=b'{"a": 1}', content_type=content_type)

    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_in_utf8_is_read(nobody: Caller, content_type: str) -> None:
    answer = nobody.call("POST", "/echo/", raw='{"a": "é"}'.encode(), content_type=content_type)

    assert json.loads(answer.content) == {"read": {"a": "é"}}


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[1,]", b"NaN", b'{"a":1,"a":2}', b'"\\ud800"', b'"\\u0000"', b"\xff",
    b"\xef\xbb\xbf{}", b"[" * 10_000, b"9" * 5000, b" "],
    ids=lambda raw: repr(raw[:12]),
)  # fmt: skip
def test_body_that_is_no_json_is_a_parse_error(nobody: Caller, raw: bytes) -> None:
    problem(nobody.call("POST", "/echo/", raw=raw), 400, "parse_error")


def test_body_over_the_limit_is_too_large(nobody: Caller) -> None:
    fits = b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'

    assert nobody.call("POST", "/echo/", raw=fits).status_code == 200
    problem(nobody.call("POST", "/echo/", raw=fits + b" "), 413, "body_too_large")


@BOTH
def test_foreign_host_is_misdirected(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    fail_with(RequestFactory().get("/", headers={"Host": "evil.example"}).get_host)

    answer = nobody.get(path)

    problem(answer, 421, "unknown_host")
    assert "evil" not in answer.content.decode()


@BOTH
@pytest.mark.usefixtures("no_database")
def test_database_away_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    fail_with(OutboxEvent.objects.count)

    answer = nobody.get(path)

    body = problem(answer, 503, "service_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert not [
        word for word in ("127.0.0.1", "port", "postgres", "pool") if word in body["detail"]
    ]


@pytest.mark.django_db(transaction=True)
@BOTH
def test_lost_database_connection_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    def lose_it() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    fail_with(lose_it)

    answer = nobody.get(path)
    connection.close()  # as Django does after each request, but for the test client's

    problem(answer, 503, "service_unavailable")
    assert OutboxEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@BOTH
def test_statement_that_takes_too_long_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    def fail() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '50ms'")
            cursor.execute("SELECT pg_sleep(60)")

    fail_with(fail)

    answer = nobody.get(path)

    problem(answer, 503)
    assert int(answer["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
@BOTH
def test_locked_row_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    locked, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE outbox")
            locked.set()
            assert finish.wait(20)
        connections.close_all()

    def want() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            cursor.execute("SELECT count(*) FROM outbox")

    fail_with(want)
    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(10)
        answer = nobody.get(path)
    finally:
        finish.set()
        holder.join(10)

    problem(answer, 503, "service_unavailable")


@pytest.mark.django_db(transaction=True)
@BOTH
@pytest.mark.parametrize("value", ["a\0b", "x" * 201])
def test_value_that_cannot_be_stored_is_invalid_and_logged(
    nobody: Caller,
    fail_with: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    path: str,
    value: str,
) -> None:
    columns = {"subject": value, "sequence": 1, "data": b"", "created_at": "2026-01-01T00:00Z"}
    fail_with(
        lambda: (
            list(OutboxEvent.objects.filter(subject=value))
            or OutboxEvent.objects.update_or_create(id=uuid7(), defaults=columns)
        )
    )

    problem(nobody.get(path), 400, "invalid")

    assert [
        record.levelno
        for record in caplog.records
        if record.name == "servicekit.http.exception_handler"
    ] == [logging.ERROR]
    assert not OutboxEvent.objects.exists()


def test_options_are_answered(nobody: Caller) -> None:
    assert nobody.call("OPTIONS", "/open/").status_code == 200


def test_empty_body_is_an_empty_object(nobody: Caller) -> None:
    assert pointers(nobody.call("POST", "/basket/", raw=b"")) == [("/lines", "required")]


@pytest.mark.django_db(transaction=True)
@BOTH
@pytest.mark.parametrize("statement", ["SELECT 1", "COMMIT"])
def test_connection_that_breaks_without_a_word_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str, statement: str
) -> None:
    """As when the server's farewell and the end of the connection arrive together."""

    def lose_it() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            if statement != "COMMIT":
                cursor.execute(statement)

    fail_with(lose_it)

    answer = nobody.get(path)
    connection.close()  # as Django does after each request, but for the test client's

    problem(answer, 503, "service_unavailable")


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
