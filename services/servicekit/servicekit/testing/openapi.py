"""Answers checked against the published OpenAPI documents (docs/openapi), by schemathesis.

The test clients of the services and of the end-to-end suite call it for every answer, so a member
that is dropped, renamed, added or of another type fails the test that sees it first.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import requests
import schemathesis
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

FOLDER = Path(__file__).parents[4] / "docs" / "openapi"
HEAD_CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance]
CHECKS = [*HEAD_CHECKS, response_schema_conformance]
PATH_PARAMETER = re.compile(r"\{(\w+)\}")
PROBLEM = "application/problem+json"


class Published:
    """The published documents of some services.

    Objects are closed for the check: JSON Schema allows members that it does not name, we want to
    hear of them. Problems stay open, since each code may bring members of its own (RFC 9457,
    section 3.2).
    """

    def __init__(self, files: Iterable[Path]) -> None:
        documents = [_closed(orjson.loads(file.read_bytes())) for file in files]
        self._schemas = [schemathesis.openapi.from_dict(document) for document in documents]

    def check(
        self, method: str, path: str, *, status: int, headers: Mapping[str, str], content: bytes
    ) -> None:
        """Compare an answer with what its operation promises; where there is none, it must be a
        problem.

        Raises:
            AssertionError: naming the operation and every difference.
        """
        operation = self._operation(method, path)
        if operation is None:
            _check_refusal(method, path, status, headers)
            return
        promised = operation.definition.raw["responses"]
        assert status >= 400 or str(status) in promised, (
            f"{operation.label} answers {status}, which its document does not name"
        )
        answer = Response(
            status_code=status,
            headers={name.lower(): [value] for name, value in headers.items()},
            content=content,
            request=requests.Request(method, f"http://test{path}").prepare(),
            elapsed=0.0,
            verify=True,
        )
        case = operation.Case(
            path_parameters=dict.fromkeys(PATH_PARAMETER.findall(operation.path), "any")
        )
        try:
            case.validate_response(answer, checks=HEAD_CHECKS if method == "HEAD" else CHECKS)
        except FailureGroup as group:
            faults = "\n".join(f"{fault.title}: {fault.message}" for fault in group.exceptions)
            raise AssertionError(
                f"{operation.label} {status}: {faults}\n{content[:2000]!r}"
            ) from None

    def _operation(self, method: str, path: str) -> "APIOperation[Any, Any, Any, Any] | None":
        plain = path.partition("?")[0]
        found = (schema.find_operation_by_path(method, plain) for schema in self._schemas)
        return next((operation for operation in found if operation), None)


@cache
def published(*services: str) -> Published:
    """Return the published documents of these services, or of all when none is named."""
    files = [FOLDER / f"{service}.json" for service in services] or sorted(FOLDER.glob("*.json"))
    return Published(files)


def _check_refusal(method: str, path: str, status: int, headers: Mapping[str, str]) -> None:
    """Without an operation: OPTIONS and what lies beside the API (health, metrics) may succeed."""
    if method == "OPTIONS" or not path.startswith("/api/"):
        return
    assert status >= 400, f"{method} {path} answers {status}, and no document names it"
    kind = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
    assert kind.partition(";")[0] == PROBLEM, f"{method} {path} {status}: {kind} is no problem"


def _closed(document: dict[str, Any]) -> dict[str, Any]:
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        is_problem = {"type", "title", "status"} <= schema.get("properties", {}).keys()
        if "properties" in schema and not is_problem and not name.endswith("Request"):
            schema.setdefault("additionalProperties", False)
    return document
