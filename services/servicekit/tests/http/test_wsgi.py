"""A request can be built, and is answered by a problem, whatever its headers and address hold."""

import io
import json
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from servicekit.http.problems import CONTENT_TYPE
from tests.project.wsgi import application

# Django looks after its connections at the start of each request.
pytestmark = pytest.mark.django_db
UNREADABLE = {
    "charset of a parameter": "a; x*=b''c",
    "charset of a parameter of JSON": "application/json; x*=b''c",
    "known charset of a parameter": "application/json; x*=rot13''c",
    "continued parameter": "application/json; x*0=a; x*1=b",
    "no type": "; charset=utf-8",
    "no subtype": "application; charset=utf-8",
    "two types": "application/json, text/plain",
    "open quote": 'application/json; charset="utf-8',
    "blank in a name": "application /json",
    "no value": "application/json; charset",
    "not ASCII": "application/json; charset=\xe9",
    "many quotes": "application/json" + ';"' * 4000,
    "long": "application/json; a=" + "a" * 300,
}
OTHER = ["rot13", "hex", "idna", "utf-7", "utf-16", "base64", "zlib", "unicode_escape", "undefined",
"x" * 100, "utf-8\\", "mbcs"]  # fmt: skip


def ask(path: str, method: str = "GET", body: bytes = b"", query: str = "",
**headers: str) -> tuple[Any, dict[str, str], bytes]:  # fmt: skip
    """Make one request as a server would; header names are CGI's."""
    environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method}
    setup_testing_defaults(environ)
    environ |= {"wsgi.input": io.BytesIO(body), "HTTP_HOST": "testserver", **headers}
    environ |= (
        {"CONTENT_LENGTH": str(len(body))} if body and "CONTENT_LENGTH" not in headers else {}
    )
    started: list[Any] = []
    answer = b"".join(
        application(environ, lambda status, fields: started.extend([status, dict(fields)]))
    )
    return int(started[0][:3]), started[1], answer


def assert_problem(answer: tuple[Any, dict[str, str], bytes], status: int) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer[2])
    assert (answer[0], answer[1]["Content-Type"], body["status"]) == (status, CONTENT_TYPE, status)
    assert body["request_id"] == answer[1]["X-Request-ID"]
    return body


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/open/", "/echo/", "/plain/", "/nowhere/", "/livez"])
@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_content_type_is_a_problem_on_every_route(
    path: str, method: str, sent: str
) -> None:
    answer = ask(path, method, b"{}", CONTENT_TYPE=sent)

    assert "application/json" in assert_problem(answer, 415)["detail"]
    assert answer[1]["Accept"] == "application/json"


@pytest.mark.parametrize("sent",
["text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                                  "multipart/form-data; boundary=\"\"",
                                  "multipart/mixed; boundary=" + "x" * 100,
                                  *(f"application/json; charset={each}" for each in OTHER),
                                  ""])  # fmt: skip
def test_other_body_is_told_what_is_read(sent: str) -> None:
    answer = ask("/echo/", "POST", b'{"a": 1}', CONTENT_TYPE=sent)

    assert "application/json" in assert_problem(answer, 415)["detail"]
    assert answer[1]["Accept"] == "application/json"


@pytest.mark.parametrize("charset", OTHER)
def test_charset_of_the_body_says_nothing_about_the_query(charset: str) -> None:
    answer = ask("/events/", query="page_size=0", CONTENT_TYPE=f"text/plain; charset={charset}")

    expected = 415 if charset.endswith("\\") else 400
    assert assert_problem(answer, expected)["detail"].startswith(
        "Send" if expected == 415 else "page_size is"
    )


@pytest.mark.parametrize(
    "sent",
    ["application/json", "Application/JSON", "application/json;",
    'application/json; charset="UTF-8"; a=b',
     "application/json ; charset=utf-8", 'application/json; a="charset=utf-16"',
     "application/json; xcharset=utf-16"],
)  # fmt: skip
def test_json_is_read_whatever_else_its_type_says(sent: str) -> None:
    answer = ask("/echo/", "POST", b'{"a": 1}', CONTENT_TYPE=sent)

    assert (answer[0], json.loads(answer[2])) == (200, {"read": {"a": 1}})


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x"])
def test_packed_body_is_told_to_come_unpacked(coding: str) -> None:
    answer = ask(
        "/echo/", "POST", b"{}", CONTENT_TYPE="application/json", HTTP_CONTENT_ENCODING=coding
    )

    assert_problem(answer, 415)
    assert answer[1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("accept", "status"),
    [("", 200), (",", 200), ("*/*", 200), ("text/html, application/*;q=0.1", 200),
    ("application/json;v=1", 200),
     ("application/json;q=0, */*", 406), ("*/*;q=0", 406), ("*/*; q=0.000", 406),
     ("text/html", 406), ("rubbish", 406),
     ("a; x*=b''c", 406), ("a; x*=b''c, */*", 200), ("application/json; x*=b''c", 200),
     ("a/b," * 5000, 406),
     ('a/b;"' + '";"' * 5000, 406), ("\xe9\x00", 406)],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_accept_is_read_or_refused(accept: str, status: int) -> None:
    answer = ask("/open/", HTTP_ACCEPT=accept)

    assert answer[0] == status
    assert answer[1]["Content-Type"] == ("application/json" if status == 200 else CONTENT_TYPE)


@pytest.mark.parametrize(
    "headers",
    [{"HTTP_HOST": "evil.example"}, {"HTTP_HOST": ""}, {"HTTP_HOST": "a:b:c"}, {"HTTP_HOST": "[::"},
    {"HTTP_COOKIE": "a=\xff;;=;\x00"},
     {"CONTENT_LENGTH": "x"}, {"CONTENT_LENGTH": "-1"}, {"CONTENT_LENGTH": "9" * 400},
     {"CONTENT_LENGTH": ""},
     {"HTTP_X_FORWARDED_FOR": "\xff"}, {"HTTP_X_FORWARDED_PROTO": "\x00"},
     {"HTTP_X_FORWARDED_HOST": "["},
     {"HTTP_ACCEPT_LANGUAGE": "a-" * 4000}, {"HTTP_RANGE": "bytes=-"},
     {"HTTP_IF_MODIFIED_SINCE": "x" * 5000},
     {"HTTP_X_REAL_IP": "\xff"}, {"HTTP_PREFER": "\xff"}, {"HTTP_DATE": "x"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("path", ["/open/", "/nowhere/", "/plain/"])
def test_odd_header_never_breaks_the_answer(path: str, headers: dict[str, str],
monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(
        "tests.project.views.Failing.fail", staticmethod(lambda: None), raising=False
    )

    status = ask(path, **headers)[0]

    assert status == (404 if path == "/nowhere/" else 200)


def test_body_without_a_length_is_not_taken_for_an_empty_one() -> None:
    answer = ask(
        "/basket/", "POST", CONTENT_TYPE="application/json", HTTP_TRANSFER_ENCODING="chunked"
    )

    assert assert_problem(answer, 411)["code"] == "length_required"


@pytest.mark.parametrize("path", ["/\xff/", "/\xed\xa0\x80/", "/open/\x00", "/\xc3\xa9/", "//", ""])
def test_odd_path_is_not_found(path: str) -> None:
    assert_problem(ask(path), 404)
