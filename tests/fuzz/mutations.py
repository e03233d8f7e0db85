"""How a right request becomes wrong: each function changes one thing, `mutated` draws a few
of them.
"""

import gzip
import json
import string
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from right_requests import JSON, Request

UUID = "00000000-0000-4000-8000-000000000000"
#: What breaks readers of text. Characters below 256 are bytes on the wire.
TEXTS = (
    "", " ", "\t", "\0", "\x01b", "a\x0bb", "\x7f", "\xff", "\xc3\x28", "caf\xc3\xa9",
    "\xf0\x9f\x98\x80", "%00", "%25", "%c0%af",
    "' OR 1=1--", "${jndi:ldap://127.0.0.1:1/}", "{{7*7}}", "<script>alert(1)</script>",
    "../../etc/passwd", "..;/", "//", "\\",
    "-1", "0", "1e400", "9" * 20, "9" * 5000, "NaN", "Infinity", "true", "null", "[]", "{}", '"',
    '"a', "\\u0000", "a,b", ",", ",,,", ";", "=",
    ";=;", "a=b;c", "*", "*/*", "W/", 'W/"1"', "a; x*=b''c", "a; charset=rot13", "utf-8''%ff",
    "a" * 255, "a" * 256, "a" * 4093, "a" * 4200,
    "a" * 8100, "a" * 8300, "a," * 2000, "a;q=0.1," * 500, UUID.replace("0", "A"), f"{{{UUID}}}",
    f"urn:uuid:{UUID}", "Thu, 01 Jan 1970 00:00:00 GMT",
)  # fmt: skip
#: What breaks readers of these headers in particular.
HEADER_TEXTS: dict[str, tuple[str, ...]] = {
    "Host": ("localhost:99999", "localhost:", ":80", "[::1", "a b", "localhost, localhost",
    "127.0.0.1:0", "evil.example"),
    "Content-Type": (
        "text/html", "application/json; charset=utf-7", "application/json; charset=idna",
        "application/json; charset=hex", "application/xml",
        "multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="',
        "application/x-www-form-urlencoded",
        "application/json;;;", "application/json; x*=b''c", "application/json; x*0=a; x*1*=b", "/",
        "application/", "application/json,text/html",
        "APPLICATION/JSON", 'application/json; charset="utf-8', "application/json; charset=\xff",
    ),
    "Content-Length": ("-1", "+1", "0x10", "1e1", "1,1", "1 1", "99999999999999999999", "0", "3",
    "131073", "\xb2"),
    "Transfer-Encoding": ("chunked", "identity", "gzip, chunked", "chunked, chunked", "xchunked",
    "chunked\t", "CHUNKED"),
    "Content-Encoding": ("gzip", "deflate", "br", "identity", "GZIP", "identity, gzip"),
    "Authorization": ("Bearer", "Bearer ", "Basic YTpi", "bearer a.b.c", "Bearer " + "a" * 5000,
    "Bearer " + "eyJ" * 1000, "Digest x"),
    "Accept": ("text/html", "application/json;q=0", "application/*", "*/*;q=2", "a/b;q=x",
    "application/problem+json", "application/json; version=9"),
    "Accept-Language": ("de", "xx-YY-zz", "de;q=2", "*", "de," * 1000),
    "Accept-Encoding": ("gzip", "gzip;q=0", "br", "identity;q=0", "*;q=0"),
    "If-Match": ('"1"', '"1', "1", '"1","2"', '"a"' * 1000, 'W/"3-2"', '"99999999999999999999"'),
    "If-None-Match": ('"1"', "*", '"1', '"a",' * 1000),
    "If-Modified-Since": ("yesterday", "Thu, 99 Jan 1970 00:00:00 GMT"),
    "Prefer": ("wait", "wait=", "wait=-1", "wait=1e9", "wait=99999999999999999999", "wait=0",
    "wait=0, wait=1", "respond-async", "wait=\xb2"),
    "Idempotency-Key": ("a b", "a" * 255, "a" * 256, '"quoted"', "\xe9"),
    "Expect": ("100-continue", "200-ok", "100-continue, x"),
    "Connection": ("close", "upgrade", "keep-alive, Authorization", "Content-Length", "x" * 100),
    "Upgrade": ("websocket", "h2c", "TLS/1.0"),
    "Range": ("bytes=0-1", "bytes=-1", "bytes=" + "0-1," * 500),
    "Cookie": ("a=b", "sessionid=" + "x" * 3000, ";;;", "csrftoken", "a=\xff"),
    "X-Forwarded-For": ("127.0.0.1", "1.2.3.4, 5.6.7.8", "x", "::1"),
    "X-Forwarded-Proto": ("https", "javascript"),
    "X-Forwarded-Host": ("evil.example",),
    "X-Request-ID": ("a\x01", "x" * 65, "ok-1"),
    "X-HTTP-Method-Override": ("DELETE", "PUT"),
    "traceparent": ("00-" + "0" * 32 + "-" + "0" * 16 + "-00", "xx"),
    "User-Agent": ("a\x01b", "\xff\xfe"),
    "SCRIPT_NAME": ("/x",),
    "Script-Name": ("/x",),
    "Proxy": ("http://127.0.0.1:1",),
    "TE": ("trailers",),
    "Trailer": ("Authorization",),
    "X-User-ID": (UUID,),
    "X-Accel-Redirect": ("/__auth",),
    "Sec-WebSocket-Key": ("x",),
}  # fmt: skip
METHODS = (
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PRI",
    "PROPFIND", "A" * 300, "", "G\0T",
    "GET\tX", "M-SEARCH", "QUERY",
)  # fmt: skip
VERSIONS = (
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/0.9",
    "HTTP/2.0",
    "HTTP/9.9",
    "HTTP/1.",
    "HTTP/1.10",
    "http/1.1",
    "",
    "HTTPS/1.1",
    "HTTP/1.1 x",
)
NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**30,
    1.5,
    1e308,
    True,
    1_000_000,
    1_000_001,
    1_000_000_000,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    "\0",
    "\ud800",
    "\u202e",
    "\ufeff",
    "x" * 300,
    "x" * 20_000,
    "9" * 5000,
)


def odd_text(random: Random) -> str:
    if random.random() < 0.8:
        return random.choice(TEXTS)
    return "".join(chr(random.randrange(256)) for _ in range(random.randrange(1, 40)))


def another_method(request: Request, random: Random) -> Request:
    return replace(request, method=random.choice(METHODS))


def another_version(request: Request, random: Random) -> Request:
    return replace(request, version=random.choice(VERSIONS))


def odd_path(request: Request, random: Random) -> Request:
    """Put something odd into the path, or instead of one of its parts."""
    path, mark, query = request.target.partition("?")
    parts = path.split("/")
    place = random.randrange(len(parts))
    text = odd_text(random)
    parts[place] = random.choice(
        (text, parts[place] + text, parts[place].upper(), parts[place] + "/" + text)
    )
    return replace(request, target="/".join(parts) + mark + query)


def odd_target(request: Request, random: Random) -> Request:
    path = request.target
    forms = (
        f"http://localhost{path}", f"http://evil.example{path}", f"//{path}", f"{path}/",
        path.rstrip("/"), path + "?" * 5, path + "#x", "*", "",
        f"{path}%00", f"{path}?{'a' * 8200}", f"/{'a' * 4200}/", f"/static/..{path}", f"{path};x=1",
        "/__auth", "/__problem", "/__wait", "/keys/fetch",
    )  # fmt: skip
    return replace(request, target=random.choice(forms))


def odd_query(request: Request, random: Random) -> Request:
    names = (
        "page_size",
        "cursor",
        "search",
        "ordering",
        "category",
        "status",
        "active",
        "slug",
        "id",
        "page",
        "format",
        "x",
        "",
    )
    pairs = [
        f"{random.choice(names)}={query_text(random)}" for _ in range(random.choice((1, 1, 2, 300)))
    ]
    return replace(request, target=f"{request.target.partition('?')[0]}?{'&'.join(pairs)}")


def query_text(random: Random) -> str:
    text = odd_text(random)
    return (
        text
        if random.random() < 0.2
        else "".join(c if c.isalnum() and c.isascii() else f"%{ord(c):02X}" for c in text[:1000])
    )


def odd_header(request: Request, random: Random) -> Request:
    """Set a header that somebody reads to something odd."""
    name = random.choice(list(HEADER_TEXTS))
    text = random.choice(HEADER_TEXTS[name]) if random.random() < 0.6 else odd_text(random)
    changed = (
        request.with_only(name, text) if random.random() < 0.7 else request.with_header(name, text)
    )
    return replace(
        changed, unfinished=changed.unfinished or name in ("Content-Length", "Transfer-Encoding")
    )


def odd_name(request: Request, random: Random) -> Request:
    name = random.choice(
        (
            "X_Under",
            "a b",
            "",
            "X" * 300,
            "\xff",
            "X-\0",
            "Host ",
            " Host",
            "Content_Length",
            "X-User-ID",
            "(",
            "X-Nothing",
        )
    )
    return request.with_header(name, odd_text(random))


def many_headers(request: Request, random: Random) -> Request:
    number = random.choice((50, 99, 101, 300))
    return replace(
        request,
        headers=(
            *request.headers,
            *((f"X-{n}", "x" * random.choice((1, 90))) for n in range(number)),
        ),
    )


def lost_header(request: Request, random: Random) -> Request:
    if not request.headers:
        return request
    return request.without_header(random.choice(request.headers)[0])


def doubled_header(request: Request, random: Random) -> Request:
    if not request.headers:
        return request
    return request.with_header(*random.choice(request.headers))


def odd_lines(request: Request, random: Random) -> Request:
    return replace(
        request, line_end=random.choice(("\n", "\r", "\r\n ", "\r\r\n")), unfinished=True
    )


def chunked(request: Request, random: Random) -> Request:
    size = f"{len(request.body):x}".encode()
    body = random.choice(
        (
            size + b"\r\n" + request.body + b"\r\n0\r\n\r\n",
            size + b";x=y\r\n" + request.body + b"\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\n",
            b"zz\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n\r\n",
            b"1\r\n" + request.body + b"\r\n0\r\n\r\n", size + b"\n" + request.body + b"\n0\n\n",
            b"20001\r\n" + b"x" * 0x20001 + b"\r\n0\r\n\r\n",
        )
    )  # fmt: skip
    changed = replace(request, body=body, counted=random.random() < 0.2, unfinished=True)
    return changed.with_only(
        "Transfer-Encoding", random.choice(("chunked", "chunked", "Chunked", "gzip, chunked"))
    )


def cut_short(request: Request, random: Random) -> Request:
    if not request.body:
        return request
    shorter = request.body[: random.randrange(len(request.body))]
    return replace(
        request.with_only("Content-Length", str(len(request.body))),
        body=shorter,
        counted=False,
        unfinished=True,
    )


def another_behind(request: Request, random: Random) -> Request:
    after = random.choice(
        (
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"\0\0\0\0",
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01\x02\x00\x01",
        )
    )
    return replace(request, after=after)


def json_body(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return {}


def with_json(request: Request, value: Any) -> Request:
    return replace(request, body=json.dumps(value).encode())


def odd_value(request: Request, random: Random) -> Request:
    """Change a value somewhere in the body."""
    value = json_body(request)
    places = list(_places(value))
    if not places:
        return with_json(request, random.choice((*VALUES, *NUMBERS)))
    holder, name = random.choice(places)
    holder[name] = random.choice(
        (
            odd_text(random),
            random.choice(VALUES),
            random.choice(NUMBERS),
            [holder[name]],
            {"x": holder[name]},
        )
    )
    return with_json(request, value)


def _places(value: Any) -> Any:
    """(holder, key or index) of each value below."""
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, inner in list(entries):
        yield value, name
        yield from _places(inner)


def odd_member(request: Request, random: Random) -> Request:
    value = json_body(request)
    if not isinstance(value, dict):
        return with_json(request, {"x": value})
    if value and random.random() < 0.5:
        value.pop(random.choice(sorted(value)))
    else:
        value[
            random.choice(
                ("x", "", "id", "__proto__", "\0", "roles", "is_staff", "price", odd_text(random))
            )
        ] = random.choice(VALUES)
    return with_json(request, value)


def many_members(request: Request, random: Random) -> Request:
    number = random.choice((30, 1000, 9000))
    return with_json(
        request,
        {f"m{n}": n for n in range(number)}
        if random.random() < 0.7
        else {"lines": [json_body(request)] * min(number, 1500)},
    )


def odd_json(request: Request, random: Random) -> Request:
    body = request.body or b"{}"
    forms = (
        b"[" * 5000, b'{"a":' * 5000, b"[" * 5000 + b"]" * 5000, body + b"x", body[:-1],
        b"\xef\xbb\xbf" + body, body.decode("latin-1").encode("utf-16"),
        body.replace(b'"', b"'"), b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":-Infinity}',
        b'{"a":1e999}', b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'{"a":"\x01"}', b"null", b"1", b'""', b"", b" ",
        b"\0", gzip.compress(body), b"x" * 131_072, b"x" * 131_073,
        b"{" + b" " * 60_000 + b"}",
    )  # fmt: skip
    return replace(request, body=random.choice(forms))


def odd_bytes(request: Request, random: Random) -> Request:
    body = bytearray(request.body or b"{}")
    for _ in range(random.randrange(1, 4)):
        body[random.randrange(len(body))] = random.randrange(256)
    return replace(request, body=bytes(body))


def form_body(request: Request, random: Random) -> Request:
    kind = random.choice(
        (
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            JSON + "; charset=latin-1",
        )
    )
    body = random.choice(
        (
            b"a=b&c=d",
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n",
            b"%ff=%00",
        )
    )
    return replace(request.with_only("Content-Type", kind), body=body)


def plain_noise(request: Request, random: Random) -> Request:
    letters = string.printable if random.random() < 0.5 else "".join(map(chr, range(256)))
    return replace(
        request,
        method="".join(random.choice(letters) for _ in range(random.randrange(1, 60))),
        unfinished=True,
    )


MUTATIONS: tuple[tuple[Callable[[Request, Random], Request], int], ...] = (
    (another_method, 3), (another_version, 2), (odd_path, 5), (odd_target, 3), (odd_query, 6),
    (odd_header, 14), (odd_name, 3), (many_headers, 1),
    (lost_header, 2), (doubled_header, 2), (odd_lines, 1), (chunked, 2), (cut_short, 1),
    (another_behind, 1), (odd_value, 12), (odd_member, 6),
    (many_members, 1), (odd_json, 5), (odd_bytes, 3), (form_body, 2), (plain_noise, 1),
)  # fmt: skip


def mutated(request: Request, random: Random) -> tuple[Request, list[str]]:
    """Return the request with one to three things changed, and what was done."""
    chosen = random.choices(*zip(*MUTATIONS, strict=True), k=random.choice((1, 1, 1, 2, 2, 3)))
    for mutation in chosen:
        request = mutation(request, random)
    return request, [mutation.__name__ for mutation in chosen]
