"""JSON in and out: strict about what comes, fast about what goes."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from servicekit import strict_json
from servicekit.problems import TooLarge

MAX_BODY_BYTES = 1024 * 1024


class StrictJSONParser(BaseParser):
    """Reads UTF-8 JSON that every reader understands alike: no duplicate members, no NaN, no NUL, no lone surrogate."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body's value.

        Raises:
            UnsupportedMediaType: another charset than UTF-8.
            TooLarge: more than a mebibyte.
            ParseError: not strict JSON.
        """
        charset = (media_type or "").lower().partition("charset=")[2].strip(' "')
        if charset not in {"", "utf-8", "utf8"}:
            raise UnsupportedMediaType(media_type or "")
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise TooLarge(f"At most {MAX_BODY_BYTES} bytes are read.")
        try:
            return strict_json.loads(raw)
        except strict_json.InvalidJson as error:
            raise ParseError(f"The body is not JSON: {error}") from error


class OrjsonRenderer(BaseRenderer):
    """Writes JSON; what a view returns is already shaped for clients."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the bytes; nothing at all for no content."""
        return b"" if data is None else orjson.dumps(data, default=str)
