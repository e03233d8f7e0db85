"""Media types of requests (RFC 9110, 8.3.1 and 12.5.1): JSON is spoken, so little is understood.

Django's and DRF's readers take RFC 2231 for HTTP: they look for codecs that clients name, and
raise when there are none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from servicekit.http.problems import Problem

JSON = "application/json"
MAX_CONTENT_TYPE, MAX_ACCEPT = 256, 8192
WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# No "*" in a name: that is RFC 2231, which is for mail.
NAME, QUOTED = r"[!#$%&'+.^_`|~0-9A-Za-z-]+", r'"(?:[^"\\]|\\.)*"'
MEDIA_TYPE = re.compile(
    rf"({WORD}/{WORD})((?:[ \t]*;[ \t]*(?:{NAME}=(?:{WORD}|{QUOTED}))?)*)[ \t]*"
)
PARAMETER = re.compile(rf"({NAME})=({WORD}|{QUOTED})")
RANGE = re.compile(r"[ \t]*(application/json|application/\*|\*/\*)[ \t]*(?:;(.*))?", re.IGNORECASE)
NO_QUALITY = re.compile(r"(?:^|;)[ \t]*q=0(?:\.0*)?[ \t]*(?:;|$)", re.IGNORECASE)


class UnsupportedMediaType(Problem):
    """The body is of a kind that is not read; the header says which is (RFC 9110, 15.5.16)."""

    status_code = 415

    def __init__(
        self, detail: str = "Send application/json in UTF-8.", *, accept: str = JSON
    ) -> None:
        super().__init__(detail, headers={"Accept": accept})


class UnsupportedEncoding(Problem):
    """The body is packed."""

    status_code = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"

    def __init__(self) -> None:
        super().__init__(
            "Send the body without Content-Encoding.", headers={"Accept-Encoding": "identity"}
        )


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type: the type in lower case, its parameters as they came."""

    name: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def is_json(self) -> bool:
        """Whether it is JSON in UTF-8, the only text of JSON (RFC 8259, 8.1)."""
        charsets = {
            value.strip('"').lower() for name, value in self.parameters if name.lower() == "charset"
        }
        return self.name == JSON and charsets <= {"utf-8", "utf8"}


def parse(content_type: str) -> MediaType | None:
    """Return what a Content-Type says, or None if it cannot be read."""
    found = MEDIA_TYPE.fullmatch(content_type) if len(content_type) <= MAX_CONTENT_TYPE else None
    if found is None:
        return None
    return MediaType(found[1].lower(), tuple(PARAMETER.findall(found[2])))


def accepts_json(accept: str) -> bool:
    """Whether an Accept header takes JSON, by its best range; an empty header takes all."""
    if not accept.strip(" \t,"):
        return True
    fitting = [found for found in map(RANGE.fullmatch, accept[:MAX_ACCEPT].split(",")) if found]
    best = min(fitting, key=lambda found: found[1].count("*"), default=None)
    return best is not None and not NO_QUALITY.search(best[2] or "")


class JsonNegotiation(BaseContentNegotiation):
    """DRF's negotiation where there is one parser and one renderer, both of JSON."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        """Return the parser.

        Raises:
            UnsupportedMediaType: the body is something else.
        """
        media_type = parse(request.content_type or "")
        if media_type is None or not media_type.is_json:
            raise UnsupportedMediaType
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        """Return the renderer and its media type.

        Raises:
            NotAcceptable: the client takes no JSON.
        """
        if not accepts_json(request.META.get("HTTP_ACCEPT", "")):
            raise NotAcceptable
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
