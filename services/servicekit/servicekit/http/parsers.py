"""JSON in and out: strict about what comes, fast about what goes; and bytes in, as they are."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from servicekit.http import strict_json
from servicekit.http.media_types import UnsupportedEncoding
from servicekit.http.problems import TooLarge

#: What most bodies are far below; a view that takes larger bodies says so
#: (viewsets.StrictInputMixin).
MAX_BODY_BYTES = 16 * 1024


class StrictJSONParser(BaseParser):
    """Reads UTF-8 JSON that every reader understands alike (servicekit.http.strict_json)."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the body's value.

        Raises:
            UnsupportedEncoding: it is packed.
            TooLarge: more than the view takes.
            ParseError: not strict JSON.
        """
        body = read_body(parser_context or {})
        try:
            return strict_json.loads(body)
        except strict_json.InvalidJson as error:
            raise ParseError(f"The body is not JSON: {error}") from error


class BytesParser(BaseParser):
    """Reads a body as it is. A subclass names the media type, such as image/*.

    Django reads no body above settings.DATA_UPLOAD_MAX_MEMORY_SIZE, whatever the view takes.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the body's bytes.

        Raises:
            UnsupportedEncoding: it is packed.
            TooLarge: more than the view takes.
        """
        return read_body(parser_context or {})


def read_body(view_context: Mapping[str, Any]) -> bytes:
    """Return the body of a request, as a parser is asked for it.

    Raises:
        UnsupportedEncoding: it is packed.
        TooLarge: more than the view takes.
    """
    request = view_context["request"]
    if request.META.get("HTTP_CONTENT_ENCODING", "").lower() not in {"", "identity"}:
        raise UnsupportedEncoding
    limit = getattr(view_context["view"], "max_body_bytes", MAX_BODY_BYTES)
    # Not from the stream: the view may run again (servicekit.http.rerun).
    if int(request.META.get("CONTENT_LENGTH") or 0) > limit or len(request.body) > limit:
        raise TooLarge(f"At most {limit} bytes are read.")
    return bytes(request.body)


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
