"""Which refusal an error means to a client: in DRF's views, and in what Django answers itself.

A service's urls.py imports Django's four handlers:

    from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from gunicorn.http.errors import ParseException
from rest_framework import exceptions
from rest_framework.response import Response

from servicekit.database import is_database_away, is_timed_out, is_try_again, needs_new_connection
from servicekit.http import rerun
from servicekit.http.problems import (
    CONTENT_TYPE,
    DETAILS,
    InvalidInput,
    Problem,
    ServiceUnavailable,
    UnknownHost,
    body_of,
    headers_of,
    problem_response,
    status_response,
)

logger = logging.getLogger(__name__)


def exception_handler(error: Exception, view_context: Mapping[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: known errors become problems, others are raised on, to a logged 500.

    So are those of a session at fault, the first time: the middleware may run the view again.
    """
    if rerun.may_help(view_context["request"].META, error):
        return None
    problem = as_problem(error)
    if problem is None:
        return None
    body = body_of(problem, view_context["request"].path)
    return Response(
        body, problem.status_code, headers=headers_of(problem), content_type=CONTENT_TYPE
    )


def as_problem(error: Exception) -> exceptions.APIException | None:  # noqa: PLR0911 - a table of cases
    """Return the refusal that this error means to a client, or None when it is our own fault."""
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(DETAILS[404])
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, DisallowedHost):
        return UnknownHost("This service does not answer for that host.")
    # The last two: a body whose framing broke, or that ended early, while a view read it.
    if isinstance(error, SuspiciousOperation | BadRequest | ParseException | UnreadablePostError):
        return InvalidInput(DETAILS[400])
    if isinstance(error, DjangoValidationError):
        return exceptions.ValidationError(error.messages)
    return _database_problem(error)


def _database_problem(error: Exception) -> Problem | None:
    passes = (is_database_away, is_try_again, is_timed_out, needs_new_connection)
    if any(check(error) for check in passes):
        logger.warning("database refused", extra={"reason": str(error)[:200]})
        return ServiceUnavailable()
    if isinstance(error, DataError):
        # Input that no check of ours stopped: the client's mistake all the same, and a gap to
        # close.
        logger.error("input reached the database unchecked", exc_info=error)
        return InvalidInput("A value cannot be stored.")
    return None


def handler400(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request that Django could not take apart."""
    if isinstance(exception, DisallowedHost):
        return problem_response(request, UnknownHost("This service does not answer for that host."))
    return status_response(request, 400)


def handler403(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what a view outside DRF refused."""
    return status_response(request, 403)


def handler404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a path without a route."""
    return status_response(request, 404)


def handler500(request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours; Django has logged it."""
    return status_response(request, 500)
