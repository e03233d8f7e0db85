"""Conditional requests by entity tag (RFC 9110, 8.8.3 and 13.1)."""

import re

from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.http.problems import InvalidInput

TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def tags_to_match(request: Request) -> list[str] | None:
    """Return the tags of If-Match, unquoted; None for no header or "*", which any state matches.

    Whether a tag is weak is left out: the gateway weakens ours when it compresses, so that says
    nothing about the state a client saw.

    Raises:
        InvalidInput: it is neither "*" nor a list of quoted tags.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = _tags(header)
    if not tags:
        raise InvalidInput('If-Match is * or a list of entity tags, such as "3-25".')
    return tags


def is_known(request: Request, tag: str) -> bool:
    """Whether If-None-Match names `tag` (with its quotes), so that the client has this state.

    A header that cannot be read names nothing. Compared weakly (13.1.2), as nginx weakens the tags
    of what it compresses.
    """
    header = request.headers.get("If-None-Match", "")
    return header.strip() == "*" or tag.strip('"') in (_tags(header) or [])


def answer(request: Request, body: object, tag: str) -> Response:
    """Return the body with its tag, or 304 without a body when the client has it."""
    if is_known(request, tag):
        return Response(status=304, headers={"ETag": tag})
    return Response(body, headers={"ETag": tag})


def _tags(header: str) -> list[str] | None:
    """The tags of a list, without its empty elements (5.6.1.2); None when it is no such list.

    A comma may be part of a tag, so the list is walked through rather than split.
    """
    found: list[str] = []
    position, is_separated = 0, True
    while position < len(header):
        if header[position] in " \t,":
            is_separated = is_separated or header[position] == ","
            position += 1
            continue
        match = TAG.match(header, position)
        if match is None or not is_separated:
            return None
        found.append(match[1])
        position, is_separated = match.end(), False
    return found
