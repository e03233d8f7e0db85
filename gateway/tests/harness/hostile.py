"""Authorization values no gateway may accept (docs: the list T of hostile tokens), and a few it must."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .tokens import CURVE_ORDER, Signer, claims, compact, encode


def hostile(signer: Signer) -> list[tuple[str, str]]:
    """(name, whole header value)."""
    makers = (_algorithms, _keys, _headers, _claims, _times, _signatures, _encodings, _payloads)
    named = [(name, f"Bearer {token}") for maker in makers for name, token in maker(signer)]
    return named + list(_schemes(signer))


def _algorithms(signer: Signer) -> Iterator[tuple[str, str]]:
    payload = encode(compact(claims()))
    for name in ("none", "None", "nOnE", " none"):
        yield f"alg {name!r} unsigned", f"{encode(compact(signer.header(alg=name)))}.{payload}."
    for name in (
        "none",
        "es256",
        "RS256",
        "ES384",
        "ES512",
        "EdDSA",
        "ES256K",
        "PS256",
        "HS256",
        ["ES256"],
        7,
        {},
        "",
    ):
        yield f"alg {name!r} signed", signer.token({"alg": name})
    yield "alg absent", signer.token({"alg": None})
    yield (
        "alg null",
        signer.seal(b'{"alg":null,"typ":"at+jwt","kid":"%s"}' % signer.kid.encode(), compact(claims())),
    )
    yield from _public_key_as_secret(signer, payload)


def _public_key_as_secret(signer: Signer, payload: str) -> Iterator[tuple[str, str]]:
    public = signer.key.public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    secrets = {
        "pem": public.public_bytes(serialization.Encoding.PEM, info),
        "der": public.public_bytes(serialization.Encoding.DER, info),
        "raw": base64.urlsafe_b64decode(signer.x + "==") + base64.urlsafe_b64decode(signer.y + "=="),
        "jwk": compact(signer.jwk()),
    }
    signed = f"{encode(compact(signer.header(alg='HS256')))}.{payload}"
    for name, secret in secrets.items():
        yield f"HS256 keyed with {name}", f"{signed}.{encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _keys(signer: Signer) -> Iterator[tuple[str, str]]:
    stranger = Signer()
    yield "own jwk in header", stranger.token({"jwk": stranger.jwk()})
    yield "own jwk, known kid", stranger.token({"jwk": stranger.jwk(), "kid": signer.kid})
    yield "stranger with known kid", stranger.token({"kid": signer.kid})
    yield "unknown kid", stranger.token()
    for kid in (
        None,
        "",
        "../../dev/null",
        "'; DROP TABLE keys; --",
        "a\0b",
        "k" * 3000,
        7,
        {},
        [],
        "__proto__",
        "constructor",
    ):
        yield f"kid {str(kid)[:20]!r}", signer.token({"kid": kid})


def _headers(signer: Signer) -> Iterator[tuple[str, str]]:
    url = "http://127.0.0.1:9/keys.json"
    for member, value in {
        "jku": url, "x5u": url, "x5c": ["MIIB"], "crit": ["exp"], "b64": False, "zip": "DEF", "jwk": signer.jwk(),
    }.items():  # fmt: skip
        yield f"header {member}", signer.token({member: value})
    for typ in (None, "JWT", "refresh+jwt", "id_token", "AT+JWT", "application/at+jwt", ["at+jwt"]):
        yield f"typ {typ!r}", signer.token({"typ": typ})


def _claims(signer: Signer) -> Iterator[tuple[str, str]]:
    wrong: dict[str, list[object]] = {
        "iss": [None, "other", "souk2", ["souk"], "SOUK", ""],
        "aud": [None, "other", "sou", [], ["other"], {"souk": 1}, 7],
        "sub": [None, "", "admin", 7, "0", f"{{{uuid.uuid4()}}}", uuid.uuid4().hex],
        "sid": [None, "", "x"],
        "jti": [None, "", 7],
        "roles": [None, "staff", [7], {"staff": 1}],
    }
    for name, values in wrong.items():
        for value in values:
            yield f"{name} {value!r}", signer.token(**{name: value})


def _times(signer: Signer) -> Iterator[tuple[str, str]]:
    now = int(time.time())
    yield "expired a minute ago", signer.token(exp=now - 61, iat=now - 300, nbf=now - 300)
    yield "expired before the leeway", signer.token(exp=now - 7, iat=now - 300, nbf=now - 300)
    yield "exp in 100 years", signer.token(exp=now + 100 * 365 * 86400)
    yield "lives a second longer than any", signer.token(iat=now, exp=now + 301)
    for value in (None, str(now + 60), -1, True, [], 10**30):
        yield f"exp {value!r}", signer.token(exp=value)
    yield "nbf ahead", signer.token(nbf=now + 600)
    yield "iat ahead", signer.token(iat=now + 600, exp=now + 900)
    yield "iat absent", signer.token(iat=None)
    yield "nbf absent", signer.token(nbf=None)
    for literal in (b"NaN", b"Infinity", b"1e400", b"1" + b"0" * 400):
        whole = compact(claims(exp="EXP")).replace(b'"EXP"', literal)
        yield f"exp {literal[:10]!r}", signer.seal(compact(signer.header()), whole)


def _signatures(signer: Signer) -> Iterator[tuple[str, str]]:
    signed, good = signer.token().rsplit(".", 1)
    raw = base64.urlsafe_b64decode(good + "==")
    zero, order = bytes(32), CURVE_ORDER.to_bytes(32, "big")
    forged = {
        "63 bytes": raw[:-1], "65 bytes": raw + b"\0", "32 bytes": raw[:32], "der": signer.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())),
        "r zero": zero + raw[32:], "s zero": raw[:32] + zero, "all zero": bytes(64), "all ones": b"\xff" * 64,
        "r is n": order + raw[32:], "s is n": raw[:32] + order, "bit flipped": bytes([raw[0] ^ 1]) + raw[1:], "1 byte": b"\0",
    }  # fmt: skip
    for name, signature in forged.items():
        yield f"signature {name}", f"{signed}.{encode(signature)}"
    yield "signature empty", f"{signed}."
    header, _ = signed.split(".")
    for name, change in {"roles": ["staff"], "sub": str(uuid.uuid4())}.items():
        yield f"payload {name} changed", f"{header}.{encode(compact(claims(**{name: change})))}.{good}"


def _encodings(signer: Signer) -> Iterator[tuple[str, str]]:
    token = signer.token()
    header, payload, signature = token.split(".")
    last = signature[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield "not canonical", token[:-1] + alphabet[alphabet.index(last) ^ 1]
    yield "padded", f"{token}=="
    yield "padded parts", f"{header}=.{payload}=.{signature}=="
    yield "plus and slash", f"{header}.{payload}.{'+/' + signature[2:]}"
    yield "two parts", f"{header}.{payload}"
    yield "four parts", f"{token}.{signature}"
    yield "five parts", f"{token}.{signature}.{signature}"
    yield "JSON form", json.dumps({"protected": header, "payload": payload, "signature": signature})
    yield "quoted", f'"{token}"'
    yield "empty parts", ".."
    yield "percent encoded", token.replace(".", "%2E")


def _payloads(signer: Signer) -> Iterator[tuple[str, str]]:
    header, whole = compact(signer.header()), compact(claims())
    doubled = {
        "sub": whole[:-1] + b',"sub":"%s"}' % str(uuid.uuid4()).encode(),
        "exp": b'{"exp":%d,' % (time.time() + 200) + whole[1:],
        "escaped sub": whole[:-1] + b',"s\\u0075b":"%s"}' % str(uuid.uuid4()).encode(),
    }
    for name, text in doubled.items():
        yield f"duplicate {name}", signer.seal(header, text)
    yield "duplicate alg", signer.seal(b'{"alg":"none",' + header[1:], whole)
    odd = {
        "array": b"[" + whole + b"]", "text": b'"claims"', "null": b"null", "number": b"1", "empty": b"{}",
        "bad utf-8": whole[:-1] + b',"x":"\xff"}', "overlong utf-8": whole[:-1] + b',"x":"\xc0\xaf"}', "utf-16": whole.decode().encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + whole, "trailing text": whole + b"x", "two objects": whole + whole,
        "trailing comma": whole[:-1] + b",}", "single quotes": whole.replace(b'"', b"'"), "comment": b"/**/" + whole,
        "nested": whole[:-1] + b',"x":' + b"[" * 1500 + b"]" * 1500 + b"}",
    }  # fmt: skip
    for name, text in odd.items():
        yield f"payload {name}", signer.seal(header, text)
        yield f"header {name}", signer.seal(text, whole)


def _schemes(signer: Signer) -> Iterator[tuple[str, str]]:
    token = signer.token()
    yield from {
        "no scheme": token, "scheme only": "Bearer", "two spaces": f"Bearer  {token}", "tab": f"Bearer\t{token}",
        "trailing text": f"Bearer {token} x", "two tokens": f"Bearer {token},{token}", "two schemes": f"Bearer {token}, Bearer {token}",
        "Basic": "Basic YWRhOnB3", "Token": f"Token {token}", "JWT": f"JWT {token}", "Bearer:": f"Bearer: {token}",
        "parameter": f'Bearer token="{token}"',
    }.items()  # fmt: skip
