"""Whatever the OpenAPI documents allow or forbid, no input makes a 5xx, and every error is a problem with a request id.

schemathesis makes requests from the documents, right and wrong ones, and sends them through the gateway.
"""

import json
from typing import Any

import pytest
import schemathesis
from harness import Shop
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode

from shopper.ops import ROOT

DOCUMENTS = sorted((ROOT / "docs" / "openapi").glob("*.json"))
EXAMPLES = 15
#: httpx refuses to send these itself; whatever else it sends must be answered.
HOP_BY_HOP = {"connection", "content-length", "host", "transfer-encoding", "expect", "upgrade", "te"}


def operations() -> list[Any]:
    """(document, path, method, mode) of every operation; one that takes nothing cannot be asked wrongly."""
    return [
        pytest.param(path.stem, route, method.upper(), mode, id=f"{operation['operationId']}-{mode.value}")
        for path in DOCUMENTS
        for route, methods in json.loads(path.read_text())["paths"].items()
        for method, operation in methods.items()
        for mode in GenerationMode
        if mode == GenerationMode.POSITIVE or operation.keys() & {"parameters", "requestBody"}
    ]


@pytest.mark.parametrize(("name", "route", "method", "mode"), operations())
def test_no_input_makes_a_server_error(
    shop: Shop, name: str, route: str, method: str, mode: GenerationMode
) -> None:
    document = json.loads((ROOT / "docs" / "openapi" / f"{name}.json").read_text())
    operation = schemathesis.openapi.from_dict(document)[route][method]
    person = shop.staff() if name == "products" else shop.register()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    def check(case: schemathesis.Case) -> None:
        sent = case.as_transport_kwargs(base_url=shop.ops.gateway)
        headers = {
            key: value
            for key, value in sent.get("headers", {}).items()
            if key.lower() not in HOP_BY_HOP | {"authorization"} and value.isascii() and value.isprintable()
        }
        answer = shop.http.request(
            method,
            sent["url"],
            params=sent.get("params"),
            json=sent.get("json"),
            content=sent.get("data"),
            headers={**headers, "Authorization": person.bearer},
        )
        assert answer.status_code < 500, f"{answer.request.method} {answer.request.url} {sent}: {answer.text}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
            assert answer.json()["request_id"]
            assert answer.json()["status"] == answer.status_code

    check()
