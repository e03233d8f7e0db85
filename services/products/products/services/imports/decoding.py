"""The encoding of a file, found while it comes: its pieces in, text out.

A byte-order mark decides; so do the NULs of UTF-16. Else the first characters beyond ASCII do: they
are UTF-8 or, as that is hardly ever so by chance, the Windows code page 1252.
"""

import codecs
from typing import Protocol

ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class _Incremental(Protocol):
    def decode(self, data: bytes, final: bool = False) -> str: ...


class Decoder:
    """Decodes a file piece by piece; `encoding` is known at its end at the latest."""

    def __init__(self, encoding: str = "") -> None:
        self.encoding = encoding
        #: Whether bytes were met that are no text; they are replaced.
        self.has_replaced = False
        self._decoder = _decoder(encoding) if encoding else None
        self._undecided = b""
        self._is_first = True

    def decode(self, piece: bytes, *, is_last: bool = False) -> str:
        """Return the text of the next piece, the first of which has four bytes or is the last."""
        if self._is_first and self.encoding in ("", "utf-16"):
            self._look_at_start(piece)
        self._is_first = False
        text = self._text(piece, is_last)
        self.has_replaced = self.has_replaced or REPLACEMENT in text
        return text

    def _look_at_start(self, piece: bytes) -> None:
        found = next((name for mark, name in MARKS if piece.startswith(mark)), "")
        if not found and piece[1:4:2] == b"\0\0":
            found = "utf-16-le"
        elif not found and piece[0:3:2] == b"\0\0":
            found = "utf-16-be"
        elif not found and self.encoding:
            found = "utf-16-be"  # RFC 2781, 4.3: so it is without a mark
        if found:
            self._decide(found)

    def _text(self, piece: bytes, is_last: bool) -> str:
        if self._decoder:
            return self._decoder.decode(piece, is_last)
        data = self._undecided + piece
        if data.isascii():
            self._undecided = b""
            return data.decode("ascii")
        return self._text_beyond_ascii(data, is_last)

    def _text_beyond_ascii(self, data: bytes, is_last: bool) -> str:
        reader = codecs.getincrementaldecoder("utf-8")("strict")
        try:
            text = reader.decode(data, is_last)
        except UnicodeDecodeError:
            self._decide("cp1252")
            return self._text_of_decided(data, is_last)
        if text.isascii():
            # A character that the next piece ends.
            self._undecided = data[len(text) :]
            return text
        self._decide("utf-8")
        return self._text_of_decided(data, is_last)

    def _text_of_decided(self, data: bytes, is_last: bool) -> str:
        self._undecided = b""
        assert self._decoder is not None  # noqa: S101 - for mypy: it was decided
        return self._decoder.decode(data, is_last)

    def _decide(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = _decoder(encoding)


def _decoder(encoding: str) -> _Incremental:
    return codecs.getincrementaldecoder(encoding)("replace")
