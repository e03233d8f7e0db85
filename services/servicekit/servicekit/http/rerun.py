"""A request whose database session was at fault runs again, once, if nothing was committed.

What a view does before a commit leaves no trace but in the database; after a commit, a second run
could place a second order, and the client is told to ask again
(docs/adr/0066-sessions-are-replaced.md).
"""

import logging
from collections.abc import MutableMapping
from typing import Any, cast

from django.db import connection
from django.http import HttpRequest, HttpResponse

from servicekit.database import needs_new_connection
from servicekit.postgresql.base import DatabaseWrapper

logger = logging.getLogger(__name__)

RAN_AGAIN = "souk.ran_again"
database = cast(DatabaseWrapper, connection)


def begin() -> None:
    """Note that nothing was committed yet by the request that begins."""
    database.has_effects = False


def may_help(meta: MutableMapping[str, Any], error: BaseException) -> bool:
    """Whether a second run of the request may help against the error, and there was none yet."""
    return RAN_AGAIN not in meta and needs_new_connection(error) and not database.has_effects


def answer_again(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Run the view again if that may help, and return its answer.

    Whatever comes of it, the session at fault is not used again.

    Raises:
        Exception: what the second run raised.
    """
    is_worth_it = may_help(request.META, error)
    database.close_if_unusable_or_obsolete()
    match = request.resolver_match
    if not is_worth_it or match is None:
        return None
    request.META[RAN_AGAIN] = True
    logger.warning("request runs again on a new connection", extra={"reason": str(error)[:200]})
    answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
    return answer
