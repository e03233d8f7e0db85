"""The check of answers against a document: what it must find."""

import json
from pathlib import Path
from typing import Any

import pytest

from servicekit.testing.openapi import Published

THING = {"id": 7, "name": "lantern"}
PROBLEM_BODY = {"type": "about:blank", "title": "Gone", "status": 404, "extra": 1}


@pytest.fixture
def document(tmp_path: Path) -> Published:
    thing = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["id", "name"],
    }
    problem = {
        "type": "object",
        "properties": {name: {} for name in ("type", "title", "status")},
        "required": ["type", "title", "status"],
    }
    responses = {
        "200": _content("application/json", "Thing"),
        "304": {"description": "Unchanged"},
        "default": _content("application/problem+json", "Problem"),
    }
    file = tmp_path / "things.json"
    file.write_text(
        json.dumps(
            {
                "openapi": "3.1.0",
                "info": {"title": "Things", "version": "1"},
                "paths": {
                    "/api/things/{thing_id}/": {
                        "parameters": [
                            {"name": "thing_id", "in": "path", "required": True, "schema": {}}
                        ],
                        "get": {"operationId": "read_thing", "responses": responses},
                    }
                },
                "components": {"schemas": {"Thing": thing, "Problem": problem}},
            }
        )
    )
    return Published([file])


def _content(media_type: str, name: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": name, "content": {media_type: {"schema": schema}}}


def _check(
    document: Published,
    body: Any,
    status: int = 200,
    *,
    kind: str = "json",
    path: str = "/api/things/7/",
) -> None:
    content = json.dumps(body).encode() if body is not None else b""
    headers = {"Content-Type": f"application/{kind}"} if content else {}
    document.check("GET", path, status=status, headers=headers, content=content)


def test_answer_as_documented_passes(document: Published) -> None:
    _check(document, THING)
    _check(document, None, 304)
    _check(document, PROBLEM_BODY, 404, kind="problem+json")
    document.check(
        "HEAD",
        "/api/things/7/",
        status=200,
        headers={"Content-Type": "application/json"},
        content=b"",
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"id": 7}, id="dropped"),
        pytest.param({"id": 7, "title": "lantern"}, id="renamed"),
        pytest.param({**THING, "price": "1.00"}, id="added"),
        pytest.param({**THING, "id": "7"}, id="of another type"),
    ],
)
def test_member_that_differs_is_named(document: Published, body: Any) -> None:
    with pytest.raises(AssertionError, match=r"GET /api/things/\{thing_id\}/ 200"):
        _check(document, body)


def test_status_that_is_not_documented_is_refused(document: Published) -> None:
    with pytest.raises(AssertionError, match="answers 201"):
        _check(document, THING, 201)


def test_error_that_is_no_problem_is_refused(document: Published) -> None:
    with pytest.raises(AssertionError, match="Content-Type"):
        _check(document, PROBLEM_BODY, 404)


def test_route_without_a_document_must_refuse(document: Published) -> None:
    _check(document, PROBLEM_BODY, 404, kind="problem+json", path="/api/other/")
    with pytest.raises(AssertionError, match="no document names it"):
        _check(document, THING, path="/api/other/")
    with pytest.raises(AssertionError, match="is no problem"):
        _check(document, PROBLEM_BODY, 404, path="/api/other/")
