"""Addresses, methods, media types and bodies that are not ours to answer."""

import json
from collections.abc import Callable

import pytest
from django.test import RequestFactory

from servicekit.http.parsers import MAX_BODY_BYTES
from servicekit.testing.client import Caller, problem
from tests.http.views_that_fail import BOTH, pointers


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


def test_options_are_answered(nobody: Caller) -> None:
    assert nobody.call("OPTIONS", "/open/").status_code == 200


def test_empty_body_is_an_empty_object(nobody: Caller) -> None:
    assert pointers(nobody.call("POST", "/basket/", raw=b"")) == [("/lines", "required")]
