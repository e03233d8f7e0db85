"""JSON that two readers could understand differently, or PostgreSQL could not store, is refused."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.http import strict_json
from servicekit.http.strict_json import MAX_DEPTH, InvalidJson

REFUSED = {
    "empty": b"",
    "blank": b" \n",
    "duplicate member": b'{"a": 1, "b": 2, "a": 1}',
    "duplicate member, escaped": b'{"a": 1, "\\u0061": 1}',
    "duplicate member, inside": b'[{"x": {"a": 1, "a": 2}}]',
    "duplicate empty member": b'{"": 1, "": 1}',
    "NaN": b"NaN",
    "NaN inside": b'{"a": [NaN]}',
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "number beyond a double": b"1e400",
    "negative number beyond a double": b"[-1e309]",
    "just beyond a double": b"1.7976931348623159e308",
    "integer of 5,000 digits": b"9" * 5000,
    "deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "deep objects": b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
    "deep, mixed": b'[{"a":' * 17 + b"1" + b"}]" * 17,
    "deeper than the stack": b"[" * 100_000 + b"]" * 100_000,
    "deep and open": b"[" * 100_000,
    "lone high surrogate": b'"\\ud83d"',
    "lone low surrogate": b'"\\ude00"',
    "surrogates in the wrong order": b'"\\ude00\\ud83d"',
    "surrogate before text": b'"\\ud83dA"',
    "lone surrogate in a name": b'{"\\udfff": 1}',
    "lone surrogate deep inside": b'{"a": [1, {"b": ["\\ud800"]}]}',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "NUL escaped": b'"a\\u0000b"',
    "NUL in a name": b'{"\\u0000": 1}',
    "NUL raw": b'"a\x00b"',
    "control character raw": b'"a\x1fb"',
    "line end raw": b'"a\nb"',
    "byte-order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 unmarked": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "Latin-1": b'"\xe9"',
    "overlong": b'"\xc0\xaf"',
    "cut short in a character": b'"\xc3"',
    "beyond Unicode": b'"\xf4\x90\x80\x80"',
    "trailing text": b"{}x",
    "two values": b"{} {}",
    "trailing comma": b"[1,]",
    "trailing comma in an object": b'{"a": 1,}',
    "trailing NUL": b"{}\x00",
    "cut short": b'{"a": [1, 2',
    "comment": b"/* */ {}",
    "single quotes": b"{'a': 1}",
    "bare name": b"{a: 1}",
    "number as a name": b"{1: 1}",
    "leading zero": b"01",
    "plus": b"+1",
    "hexadecimal": b"0x10",
    "no digit before the point": b".5",
    "no digit after the point": b"1.",
    "Arabic digits": "\u0661".encode(),
    "full-width digits": "\uff11".encode(),
    "underscore": b"1_000",
    "True": b"True",
    "undefined": b"undefined",
    "no-break space": "\u00a0{}".encode(),
    "vertical tab": b"\x0b{}",
    "bad escape": b'"\\x41"',
    "short escape": b'"\\u12"',
    "escape with blanks": b'"\\u 041"',
    "escape with a sign": b'"\\u+041"',
}
ACCEPTED: dict[str, tuple[bytes, Any]] = {
    "object": (
        b'{"a": [1, -2.5, true, false, null, "x"]}',
        {"a": [1, -2.5, True, False, None, "x"]},
    ),
    "blanks": (b" \t\r\n[ 1 ]\n", [1]),
    "text": ('"é😀"'.encode(), "é😀"),
    "surrogate pair": (b'"\\ud83d\\ude00"', "😀"),
    "escapes": (b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"', '"\\/\b\f\n\r\té'),
    "escaped backslash before u": (b'"\\\\u0000"', "\\u0000"),
    "brackets in text": (b'"' + b"[{" * 1000 + b'"', "[{" * 1000),
    "many side by side": (b"[" + b"[]," * 999 + b"{}]", [[]] * 999 + [{}]),
    "same name in two objects": (b'[{"a": 1}, {"a": {"a": 2}}]', [{"a": 1}, {"a": {"a": 2}}]),
    "names that differ in case": (b'{"a": 1, "A": 2}', {"a": 1, "A": 2}),
    "largest double": (b"1.7976931348623157e308", 1.7976931348623157e308),
    "smallest": (b"1e-400", 0.0),
    "integer beyond 64 bits": (b"1000000000000000000000000000000", 10**30),
    "replacement character": ('"\ufffd"'.encode(), "\ufffd"),
    "byte-order mark inside": ('"a\ufeff"'.encode(), "a\ufeff"),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_ambiguous_or_broken_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidJson) as refusal:
        strict_json.loads(raw)

    assert 0 < len(str(refusal.value)) < 200


@pytest.mark.parametrize(("raw", "value"), ACCEPTED.values(), ids=ACCEPTED)
def test_plain_json_is_read(raw: bytes, value: Any) -> None:
    read = strict_json.loads(raw)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("leaf", [b"", b"1", b'"\\u0041"'], ids=["nothing", "number", "escape"])
def test_deepest_value_is_read(leaf: bytes) -> None:
    raw = b"[" * MAX_DEPTH + leaf + b"]" * MAX_DEPTH

    read, depth = strict_json.loads(raw), 0
    while isinstance(read, list):
        read, depth = (read or [None])[0], depth + 1

    assert depth == MAX_DEPTH


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a":1,"a":2}', "same name"),
        (b"[NaN]", "NaN"),
        (b"[" * 5000, "deeper"),
        (b"[1,\n}", "line 2"),
    ],
)
def test_refusal_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidJson, match=reason):
        strict_json.loads(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    return json.dumps(left) == json.dumps(right)


def all_texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in all_texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in all_texts(inner)]
    return [value] if isinstance(value, str) else []


def all_numbers_finite(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(
            all_numbers_finite(inner)
            for inner in (value.values() if isinstance(value, dict) else value)
        )
    return not isinstance(value, float) or math.isfinite(value)


@given(json_values, st.booleans())
def test_what_is_written_is_read_back_or_refused_for_cause(value: Any, escaped: bool) -> None:
    raw = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    storable = not any("\0" in text or _has_surrogate(text) for text in all_texts(value))

    try:
        read = strict_json.loads(raw)
    except InvalidJson:
        assert not (storable and all_numbers_finite(value))
    else:
        assert storable
        assert all_numbers_finite(value)
        assert same(read, json.loads(raw))


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


fragments = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b'"b"', b"1", b"-", b".5", b"e9", b"0",
    b"true", b"null", b"NaN",
     b" ", b"\\u0000", b"\\ud800", b"\\u0041", b"\\", b"\xef\xbb\xbf", b"\xff", b"\x00",
     b"\xc3\xa9"]
)  # fmt: skip


@given(st.lists(fragments, max_size=12).map(b"".join) | st.binary(max_size=40))
def test_what_is_accepted_every_reader_reads_alike(raw: bytes) -> None:
    try:
        read = strict_json.loads(raw)
    except InvalidJson:
        return

    assert same(read, json.loads(raw))
    first_wins = json.loads(raw, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert first_wins == read
    json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
    assert not any("\0" in text for text in all_texts(read))


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    try:
        strict_json.loads(raw)
    except InvalidJson:
        return
