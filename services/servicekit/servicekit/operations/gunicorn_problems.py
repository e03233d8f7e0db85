"""Answers of gunicorn's own, before the application sees a request: problems instead of HTML."""

import json
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from gunicorn.http import errors
from gunicorn.util import write_nonblock

#: Errors that are not listed are 400 if the request could not be parsed, else 500.
STATUSES: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.InvalidHTTPVersion: HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
    errors.ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    # The application's fault, although gunicorn derives them from the class of parsing errors.
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}
CODES = {
    HTTPStatus.REQUEST_URI_TOO_LONG: "uri_too_long",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "headers_too_large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_error",
}
DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed here. The request id finds it in the logs.",
}


class ProblemsMixin:
    """Answers a gunicorn worker's errors as problems (RFC 9457).

    They quote nothing that the client sent.
    """

    log: Any

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer with what parsing a request, or the application, raised (called by gunicorn)."""
        status, request_id = status_of(exc), uuid4().hex
        extra = {"request_id": request_id, "status": int(status), "reason": str(exc)[:200]}
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("request failed", exc_info=exc, extra=extra)
        else:
            self.log.warning("request refused", extra=extra)
        try:
            write_nonblock(client, answer(status, request_id))
        except OSError:
            self.log.debug("the client left before its refusal was sent")


def status_of(error: Exception) -> HTTPStatus:
    """Return the HTTP status of an error that gunicorn raised."""
    for known in type(error).__mro__:
        if known in STATUSES:
            return STATUSES[known]
    is_unreadable = isinstance(error, errors.ParseException)
    return HTTPStatus.BAD_REQUEST if is_unreadable else HTTPStatus.INTERNAL_SERVER_ERROR


def answer(status: HTTPStatus, request_id: str) -> bytes:
    """Return the whole answer.

    It closes the connection: after a request that cannot be parsed, nobody knows where the next
    request begins.
    """
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": DETAILS.get(status, status.description or status.phrase),
        "code": CODES.get(status, status.name.lower()),
        "request_id": request_id,
    }
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
        f"Connection: close\r\n"
        f"X-Request-ID: {request_id}\r\n"
        f"Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
