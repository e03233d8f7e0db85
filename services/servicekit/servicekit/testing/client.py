"""Call a service's API in a test: JSON in and out, as nobody, as a customer or as staff."""

import json
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from uuid_utils.compat import uuid7

from servicekit.testing.openapi import FOLDER, published
from servicekit.testing.tokens import make_client_token, make_token


class Caller:
    """Somebody with a token, or nobody. `body` is sent as JSON, `raw` as it is."""

    def __init__(self, *roles: str) -> None:
        self.id: UUID = uuid7()
        self._token = make_token(self.id, roles=roles) if roles else ""
        # A failure that nobody foresaw must be seen as clients see it.
        self._client = Client(raise_request_exception=False)

    @classmethod
    def machine(cls, *scopes: str) -> Self:
        """Return a machine client with these scopes, or with a scope that opens nothing."""
        caller = cls()
        caller._token = make_client_token(*(scopes or ("nothing",)), client_id=caller.id)
        return caller

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
        **headers: str,
    ) -> HttpResponse:
        """Make one request; header names are given with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._token:
            sent.setdefault("Authorization", f"Bearer {self._token}")
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        answer = _whole(
            self._client.generic(method, path, data, content_type=content_type, headers=sent)
        )
        if service := _published_service():
            published(service).check(
                method,
                path,
                status=answer.status_code,
                headers=answer.headers,
                content=answer.content,
            )
        return answer

    def get(self, path: str, **headers: Any) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: Any) -> HttpResponse:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: Any) -> HttpResponse:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: Any) -> HttpResponse:
        return self.call("DELETE", path, **headers)


def decoded(answer: HttpResponse, status: int = 200) -> Any:
    """Check the status and return the JSON body."""
    assert answer.status_code == status, answer.content.decode(errors="replace")
    return json.loads(answer.content)


def problem(answer: HttpResponse, status: int, code: str = "", *pointers: str) -> dict[str, Any]:
    """Check that an answer is a problem of this status, code and pointers; return its members."""
    body: dict[str, Any] = decoded(answer, status)
    assert answer["Content-Type"] == "application/problem+json"
    assert body["status"] == status
    assert body["request_id"]
    assert body["code"] == (code or body["code"]), body
    assert [error["pointer"] for error in body.get("errors", [])] == list(
        pointers
    ) or not pointers, body
    return body


def _whole(answer: Any) -> HttpResponse:
    """Return an answer with all that it streams."""
    if answer.streaming:
        content = b"".join(answer.streaming_content)
        return HttpResponse(content, status=answer.status_code, headers=answer.headers)
    assert isinstance(answer, HttpResponse)
    return answer


def _published_service() -> str:
    """Return the service under test; nothing for the kit's test project, which has no document."""
    service = settings.ROOT_URLCONF.partition(".")[0]
    return service if (FOLDER / f"{service}.json").exists() else ""
