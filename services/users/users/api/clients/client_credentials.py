"""How machine clients show who they are (RFC 6749, 2.3.1), and the form that they send."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import IO, Any, cast
from urllib.parse import parse_qsl, unquote_plus

from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from servicekit.http.parsers import BytesParser
from users.errors import InvalidClient, InvalidTokenRequest

BASIC = re.compile(r"basic ([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)
MAX_CREDENTIALS, MAX_FIELDS = 400, 20


class FormParser(BytesParser):
    """Reads a form of a few fields, each once (RFC 6749, 3.2)."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """Return the fields that have a value: one without is as good as left out.

        Raises:
            ParseError: it is not UTF-8, has too many fields, or the same twice.
        """
        body = super().parse(stream, media_type, parser_context)
        try:
            pairs = parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(body),
                errors="strict",
                max_num_fields=MAX_FIELDS,
            )
        except ValueError as error:
            raise ParseError("The body is not a form.") from error
        if len({name for name, _ in pairs}) < len(pairs):
            raise ParseError("A parameter is there twice.")
        return {name: value for name, value in pairs if value}


def form_of(request: Request) -> dict[str, str]:
    """Return the form that FormParser has read."""
    return cast(dict[str, str], request.data)


def credentials_of(request: Request) -> tuple[str, str]:
    """Return a client's id and secret from its Basic authentication.

    Raises:
        InvalidClient: there is no such header, or it cannot be read.
        InvalidTokenRequest: the body names another client, or has a secret as well.
    """
    client_id, secret = _basic(request.headers.get("Authorization", ""))
    form = form_of(request)
    if "client_secret" in form or form.get("client_id", client_id) != client_id:
        raise InvalidTokenRequest("Send id and secret in the Authorization header alone.")
    return client_id, secret


def _basic(header: str) -> tuple[str, str]:
    found = BASIC.fullmatch(header) if len(header) <= MAX_CREDENTIALS else None
    try:
        text = base64.b64decode(found[1], validate=True).decode("ascii") if found else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    client_id, colon, secret = text.partition(":")
    if not colon:
        raise InvalidClient
    # Each is a form's value, before both are joined.
    return unquote_plus(client_id), unquote_plus(secret)
