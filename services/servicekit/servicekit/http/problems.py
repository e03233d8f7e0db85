"""Errors as clients see them: application/problem+json (RFC 9457), whoever found them.

A service states a refusal as a type, once, and raises it anywhere below its API:

    class OutOfStock(Conflict):
        '''The order was placed and rejected.'''

    raise OutOfStock("Not enough of it is left.", members={"shortages": [...]})
"""

import logging
import math
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.settings import api_settings

from servicekit import context
from servicekit.http.identifiers import canonical_path

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
MAX_FIELD_ERRORS, MAX_DETAIL_LENGTH = 20, 300
RETRY_AFTER_SECONDS = 2


class Problem(exceptions.APIException):
    """A refusal with a stable `code` that clients branch on; `members` are added to the body.

    Code and title are the words of the class name (`OutOfStock`: `out_of_stock`, "Out of stock")
    where the class and those it is a kind of state none. On the wire they are for ever: a class
    that is renamed states its old code.
    """

    status_code = 400
    code = ""
    title = ""

    def __init_subclass__(cls, *, abstract: bool = False, **options: Any) -> None:
        """Name the problem; an abstract problem is left nameless, for its subclasses."""
        super().__init_subclass__(**options)
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", cls.__name__).lower()
        if not abstract:
            cls.code = cls.code or words.replace(" ", "_")
            cls.title = cls.title or words.capitalize()

    def __init__(
        self,
        detail: str = "",
        *,
        members: Mapping[str, Any] | None = None,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title or HTTPStatus(self.status_code).phrase, self.code)
        self.members = {**(members or {})}
        if errors:
            # A caller could make the answer many times as long as its request.
            self.members["errors"] = errors[:MAX_FIELD_ERRORS]
        self.headers = dict(headers or {})


class InvalidInput(Problem):
    """Input that cannot be read or is not allowed; `errors` says where."""

    code = "invalid"


class NotFound(Problem):
    """There is nothing of that name, or it is not the caller's to see."""

    status_code = 404

    def __init__(self) -> None:
        # No detail of its own: it would tell what is missing from what is hidden.
        super().__init__(DETAILS[404])


class Conflict(Problem, abstract=True):
    """What is asked for does not go with the state of things."""

    status_code = 409


class ServiceUnavailable(Problem):
    """Something we need is away; the same request may succeed in a moment."""

    status_code = 503

    def __init__(
        self, detail: str = "Something this service needs is away. Try again.", *, code: str = ""
    ) -> None:
        self.code = code or self.code
        super().__init__(detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class UnknownHost(Problem):
    """The Host header names no service of ours (RFC 9110, 15.5.20)."""

    status_code = 421
    title = "Misdirected request"


class TooLarge(Problem):
    """The body is larger than we read."""

    status_code = 413
    code = "body_too_large"
    title = "Body too large"


TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Internal error",
}
DETAILS = {
    400: "The request cannot be read.",
    403: "You may not do that.",
    404: "There is nothing at this address.",
    405: "See Allow.",
    500: "Something failed here. The request id finds it in the logs.",
}
CODES = {
    400: "bad_request",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    500: "internal_error",
}


def problem_body(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    instance: str,
    members: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the body of a problem; `members` are extensions, which replace no standard member."""
    standard = {
        # RFC 9457, 4.2.1: the status says it all to whoever does not know `code`.
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": canonical_path(instance)[:200],
        "code": code,
        "request_id": context.request_id.get() or "",
    }
    # Standard members first, for people who read it, and last, so that none is replaced.
    return {**standard, **(members or {}), **standard}


def problem_response(request: HttpRequest, problem: exceptions.APIException) -> HttpResponse:
    """Return the plain Django response for a problem found outside DRF's views."""
    body = orjson.dumps(body_of(problem, request.path), default=str)
    return HttpResponse(
        body, status=problem.status_code, headers=headers_of(problem), content_type=CONTENT_TYPE
    )


def status_response(
    request: HttpRequest, status: int, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return the problem that a bare status means."""
    title = TITLES.get(status, HTTPStatus(status).phrase)
    body = problem_body(
        status=status,
        code=CODES.get(status, HTTPStatus(status).name.lower()),
        title=title,
        detail=DETAILS.get(status, title),
        instance=request.path,
    )
    return HttpResponse(
        orjson.dumps(body), status=status, headers=dict(headers or {}), content_type=CONTENT_TYPE
    )


def body_of(problem: exceptions.APIException, path: str) -> dict[str, Any]:
    """Return the problem's body."""
    if isinstance(problem, exceptions.ValidationError):
        return problem_body(
            status=400,
            code="invalid",
            title=InvalidInput.title,
            detail="The input is not valid; errors says where.",
            instance=path,
            members={"errors": list(islice(field_errors(problem.detail), MAX_FIELD_ERRORS))},
        )
    status = problem.status_code
    title = getattr(problem, "title", "") or TITLES.get(status, HTTPStatus(status).phrase)
    return problem_body(
        status=status,
        code=_code(problem),
        title=title,
        detail=str(problem.detail),
        instance=path,
        members=getattr(problem, "members", None),
    )


def _code(problem: exceptions.APIException) -> str:
    if isinstance(problem, exceptions.Throttled):
        return "too_many_requests"
    code = problem.get_codes()
    return code if isinstance(code, str) else "invalid"


def headers_of(problem: exceptions.APIException) -> dict[str, str]:
    """Return the headers that the problem owes: challenge, wait, and its own."""
    headers = dict(getattr(problem, "headers", {}))
    challenge = getattr(problem, "auth_header", None)
    wait_seconds = getattr(problem, "wait", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    if wait_seconds is not None:
        # A wait of 0 would ask for the same refusal again.
        headers["Retry-After"] = str(max(1, math.ceil(wait_seconds)))
    return headers


def field_errors(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Yield each error of DRF's nested detail with its JSON pointer (RFC 6901)."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from field_errors(inner, pointer + _step(name))
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list | tuple)
            yield from field_errors(inner, f"{pointer}/{index}" if nested else pointer)
    else:
        code, text = getattr(detail, "code", "invalid"), str(detail)[:MAX_DETAIL_LENGTH]
        yield {"pointer": pointer, "code": code, "detail": text}


def _step(name: object) -> str:
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return ""
    return "/" + str(name)[:100].replace("~", "~0").replace("/", "~1")
