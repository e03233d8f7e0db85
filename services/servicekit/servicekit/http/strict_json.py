"""JSON from clients: one reading of every document, or none.

RFC 8259 leaves duplicate members, huge numbers and lone surrogates to each reader, and readers that
differ are a way round a check. NUL and lone surrogates besides are text that PostgreSQL cannot
store.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 32
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
SQUARE = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


class InvalidJson(ValueError):
    """The bytes are not JSON that every reader would understand alike."""


def loads(raw: bytes) -> Any:
    """Return the document's value.

    Raises:
        InvalidJson: not UTF-8, a byte-order mark, not JSON, a duplicate member, NaN or Infinity or
            a number beyond a double's range, nested deeper than 32, or a string with NUL or a lone
            surrogate.
    """
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise InvalidJson("A byte-order mark is not allowed.")
    try:
        value = _decoder.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidJson("The text is not UTF-8.") from None
    except RecursionError:
        raise InvalidJson(f"Nested deeper than {MAX_DEPTH}.") from None
    except InvalidJson:
        raise
    except ValueError as error:
        raise InvalidJson(_reason(error)) from None
    # Both faults need these characters in the text; most documents have neither.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_depth(raw)
    if b"\\u" in raw:
        _check_texts(value)
    return value


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"Not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
    return "A number is too long."


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJson("An object has two members of the same name.")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidJson("A number is too large.")
    return number


def _refuse_constant(text: str) -> Any:
    raise InvalidJson(f"{text} is not JSON.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_finite, parse_constant=_refuse_constant
)


def _check_depth(document: bytes) -> None:
    """Take the innermost brackets away, level by level, rather than walk through each container."""
    brackets = STRING.sub(b"", document).translate(SQUARE, delete=NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise InvalidJson(f"Nested deeper than {MAX_DEPTH}.")


def _check_texts(value: Any) -> None:
    level = [value]
    while level:
        for text in level:
            if isinstance(text, str):
                _check_text(text)
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [inner for outer in containers for inner in _parts(outer)]


def _parts(container: dict[str, Any] | list[Any]) -> Iterator[Any]:
    yield from container
    if isinstance(container, dict):
        yield from container.values()


def _check_text(text: str) -> None:
    found = NOT_TEXT.search(text)
    if found:
        raise InvalidJson(f"A string holds {'NUL' if found[0] == chr(0) else 'a lone surrogate'}.")
