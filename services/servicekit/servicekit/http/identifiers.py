"""Ids as clients write them: a UUID in its 36 characters, in either case (RFC 9562, section 4).

We answer in lower case. Other spellings that `uuid.UUID` takes (braces, `urn:uuid:`, no hyphens)
are refused everywhere, so that an id is one text but for case.
"""

import re
from uuid import UUID

TEXT = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
ID = re.compile(TEXT)
IN_PATH = re.compile(rf"(?<=/){TEXT}(?=/|$)")


def parse_id(text: object) -> UUID:
    """Return the id.

    Raises:
        ValueError: it is no text, or not an id as we write them, in any case.
    """
    if not isinstance(text, str) or not ID.fullmatch(text):
        raise ValueError("not an id")
    return UUID(text)


def canonical_path(path: str) -> str:
    """Return a path with its ids in lower case."""
    return IN_PATH.sub(lambda found: found[0].lower(), path)


class IdConverter:
    """`<id:…>` in a URL pattern. Django's own `<uuid:…>` knows no capitals."""

    regex = TEXT

    def to_python(self, value: str) -> UUID:
        """Return the id that the pattern found."""
        return UUID(value)

    def to_url(self, value: UUID) -> str:
        """Return it as we write ids."""
        return str(value)
