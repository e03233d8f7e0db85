"""What surrounds every request: its id and trace, its access line, its measure, and no more."""

import logging
import re
import time
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from servicekit import context
from servicekit.context import valid_traceparent
from servicekit.http import media_types, rerun
from servicekit.http.exception_handler import as_problem
from servicekit.http.problems import problem_response, status_response
from servicekit.operations import metrics

logger = logging.getLogger("access")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: What our own processes ask again and again.
QUIET = frozenset({"/livez", "/readyz", "/metrics", "/internal/revocations/"})


class RequestContext:
    """Names the request for everything that comes of it, and writes its access line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        rerun.begin()
        sent_id = request.headers.get("X-Request-ID", "")
        sent_trace = request.headers.get("traceparent", "")
        request_id = sent_id if REQUEST_ID.fullmatch(sent_id) else uuid4().hex
        tokens = (
            context.request_id.set(request_id),
            context.traceparent.set(valid_traceparent(sent_trace)),
        )
        try:
            response = _refusal(request) or self._get_response(request)
            response.headers["X-Request-ID"] = request_id
            _record(request, response, time.perf_counter() - started)
        finally:
            context.request_id.reset(tokens[0])
            context.traceparent.reset(tokens[1])
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer what views outside DRF raise, where it has a meaning for the client."""
        try:
            answer = rerun.answer_again(request, error)
        except Exception as second:
            error, answer = second, None
        problem = None if answer else as_problem(error)
        return problem_response(request, problem) if problem else answer


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Refuse what Django or DRF would trip over, or not see: on every route, whatever the method.

    A Content-Type that cannot be read makes them raise; a body without a length is empty to
    Django.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META:
        return status_response(request, 411)
    content_type = request.META.get("CONTENT_TYPE")
    if content_type and media_types.parse(content_type) is None:
        return problem_response(request, media_types.UnsupportedMediaType())
    return None


def _record(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    if request.path in QUIET:
        return
    match = request.resolver_match
    route = match.route if match else "unmatched"
    # Each value of a label is kept for ever, and clients may invent methods.
    method = request.method if request.method in METHODS else "other"
    metrics.HTTP_REQUESTS.labels(method, route, str(response.status_code)).observe(seconds)
    logger.info(
        "request",
        extra={
            "method": request.method,
            "path": request.path[:500],
            "status": response.status_code,
            "milliseconds": round(seconds * 1000, 1),
        },
    )
