"""The parameters of a list: none is unknown, repeated or half right."""

import pytest
from django.http import HttpResponse

from servicekit.http.problems import MAX_FIELD_ERRORS
from servicekit.testing.client import Caller, decoded, problem
from tests.http.rows import add_rows

pytestmark = pytest.mark.django_db


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

    assert [error["code"] for error in body["errors"]] == ["unknown_parameter"]
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

    assert [error["code"] for error in body["errors"]] == ["repeated_parameter"]


def test_every_wrong_parameter_is_named(nobody: Caller) -> None:
    body = problem(nobody.get("/events/?a=1&b=2&type=1&type=2"), 400, "invalid")

    assert [error["code"] for error in body["errors"]] == ["unknown_parameter"] * 2 + [
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
    assert [error["code"] for error in errors] == [
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
