"""Requests made from the OpenAPI documents by schemathesis, right and wrong ones, and what their
answers must be.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.generation import GenerationMode

from shopper.ops import ROOT

DOCUMENTS = sorted((ROOT / "docs" / "openapi").glob("*.json"))
#: httpx refuses to send these itself; whatever else it sends must be answered.
HOP_BY_HOP = {
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "expect",
    "upgrade",
    "te",
}
Send = Callable[..., httpx.Response]


def operations() -> list[Any]:
    """(document, path, method, mode) of every operation."""
    return [
        pytest.param(
            path.stem, route, method.upper(), mode, id=f"{operation['operationId']}-{mode.value}"
        )
        for path in DOCUMENTS
        for route, methods in json.loads(path.read_text())["paths"].items()
        for method, operation in methods.items()
        for mode in GenerationMode
        if mode == GenerationMode.POSITIVE or _can_be_asked_wrongly(operation)
    ]


def _can_be_asked_wrongly(operation: dict[str, Any]) -> bool:
    """Whether it takes something that has a wrong form; for a header, any text will do."""
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    return "requestBody" in operation or bool(places - {"header"})


def ask_often(
    name: str,
    route: str,
    method: str,
    mode: GenerationMode,
    *,
    base_url: str,
    examples: int,
    number: int,
    send: Send,
) -> None:
    """Make that many requests of an operation from the seed `number`, and check each answer."""
    document = json.loads((ROOT / "docs" / "openapi" / f"{name}.json").read_text())
    operation = schemathesis.openapi.from_dict(document)[route][method]

    @seed(number)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    def check(case: schemathesis.Case) -> None:
        sent = case.as_transport_kwargs(base_url=base_url)
        headers = {
            key: value
            for key, value in sent.get("headers", {}).items()
            if key.lower() not in HOP_BY_HOP | {"authorization"}
            and value.isascii()
            and value.isprintable()
        }
        content = sent.get("data")
        if isinstance(content, dict):
            content = urlencode(content, doseq=True, errors="replace").encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = send(
            method,
            sent["url"],
            params=sent.get("params"),
            json=sent.get("json"),
            content=content,
            headers=headers,
        )
        _judge(answer, f"{answer.request.method} {answer.request.url} {sent}")

    check()


def _judge(answer: httpx.Response, what: str) -> None:
    assert answer.status_code < 500, f"{what}: {answer.text}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"].startswith("application/problem+json"), (
            f"{what}: {answer.text}"
        )
        assert answer.json()["request_id"]
        assert answer.json()["status"] == answer.status_code
