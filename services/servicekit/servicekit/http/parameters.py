"""Query parameters: each is known, given once, and text, or the request is a 400."""

from collections.abc import Iterator, Set
from itertools import islice
from urllib.parse import unquote_to_bytes

from rest_framework.request import Request

from servicekit.http.problems import MAX_FIELD_ERRORS, InvalidInput


def check_parameters(request: Request, known: Set[str]) -> None:
    """Refuse parameters that are not read, that are repeated or empty, and those that are not text.

    Raises:
        InvalidInput: naming the first of them, at most MAX_FIELD_ERRORS.
    """
    errors = list(islice(_faults(request, known), MAX_FIELD_ERRORS))
    if errors:
        names = ", ".join(sorted(known)) or "none"
        raise InvalidInput(f"Known parameters: {names}.", errors=errors)
    _check_text(request.META["QUERY_STRING"])


def _faults(request: Request, known: Set[str]) -> Iterator[dict[str, str]]:
    for name, values in request.query_params.lists():
        if name not in known:
            yield _fault("unknown_parameter", f"Unknown parameter {name[:50]!r}.")
        elif len(values) > 1:
            yield _fault("repeated_parameter", f"{name} is given more than once.")
        elif not values[0]:
            yield _fault("empty_parameter", f"{name} is empty. Give it a value or leave it out.")


def _fault(code: str, detail: str) -> dict[str, str]:
    return {"pointer": "", "code": code, "detail": detail}


def _check_text(query: str) -> None:
    """Look at the bytes: Django has replaced what is not UTF-8 before a view sees it."""
    raw = unquote_to_bytes(query)
    if b"\0" in raw:
        raise InvalidInput("A parameter holds a NUL character.")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput("A parameter is not UTF-8.") from None
