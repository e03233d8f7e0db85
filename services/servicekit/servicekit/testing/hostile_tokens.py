"""Tokens that must be refused, each with one fault (RFC 8725): by the services and by the gateway.

All are signed with the test run's own key where a signature can be good: it is their one fault that
must stop them.
"""

import base64
import hmac
import time
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from uuid_utils.compat import uuid7

from servicekit.auth.token_rules import LONGEST_LIFE_SECONDS, MAX_MEMBERS
from servicekit.testing.tokens import (
    AUDIENCE,
    CURVE_ORDER,
    ISSUER,
    SIGNER,
    Signer,
    client_claims,
    compact,
    encode,
    make_claims,
)

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SOMEBODY = UUID("018f0000-0000-7000-8000-000000000001")
CLIENT = UUID("018f0000-0000-7000-8000-000000000002")
DEEP = b"[" * 1500 + b"]" * 1500


class HostileToken(NamedTuple):
    """A token, what is wrong with it, and the `code` of the InvalidToken that it must be refused
    with.
    """

    name: str
    token: str
    code: str


def hostile_tokens(signer: Signer = SIGNER) -> list[HostileToken]:
    """Return them all, under names that are the same in every run.

    `signer` is the key that the verifier under test trusts. After five minutes they are merely
    expired: make new tokens.
    """
    makers = (
        _algorithms, _public_key_as_secret, _strangers, _key_ids, _headers, _claims, _clients,
        _times,
        _time_literals,
        _signatures, _payloads_changed, _encodings, _sizes, _duplicates, _not_json_objects,
    )  # fmt: skip
    return [hostile for make in makers for hostile in make(signer)]


def hostile_headers(signer: Signer = SIGNER) -> list[tuple[str, str]]:
    """Return names and values of Authorization headers that hold no single bearer token, though a
    good one is in most.
    """
    token = signer.token()
    return list({
        "no scheme": token, "empty": "", "blank": " ", "scheme only": "Bearer",
        "scheme and blank": "Bearer ",
        "two spaces": f"Bearer  {token}", "tab": f"Bearer\t{token}",
        "leading blank": f" Bearer {token}",
        "trailing text": f"Bearer {token} x", "two tokens": f"Bearer {token},{token}",
        "two schemes": f"Bearer {token}, Bearer {token}", "Basic": "Basic YWRhOnB3",
        "Token": f"Token {token}",
        "JWT": f"JWT {token}", "Bearer:": f"Bearer: {token}",
        "parameter": f'Bearer token="{token}"',
        "quoted": f'Bearer "{token}"', "null": "Bearer null", "not ASCII": f"Bearer {token}é",
        "look-alike scheme": f"Be\u0430rer {token}".encode().decode("latin-1"),
    }.items())  # fmt: skip


def _algorithms(signer: Signer) -> Iterator[HostileToken]:
    payload = encode(compact(make_claims()))
    for name in ("none", "None", "nOnE", " none"):
        unsigned = f"{encode(compact(signer.header(alg=name)))}.{payload}."
        yield HostileToken(f"alg {name!r} unsigned", unsigned, "malformed")
    names: tuple[object, ...] = (
        "none",
        "es256",
        "RS256",
        "ES384",
        "ES512",
        "EdDSA",
        "ES256K",
        "PS256",
        "HS256",
        "",
        ["ES256"],
        7,
        {},
    )
    for other in names:
        yield HostileToken(f"alg {other!r} signed", signer.token({"alg": other}), "algorithm")
    yield HostileToken("alg absent", signer.token({"alg": None}), "algorithm")
    null = compact({**signer.header(), "alg": None})
    yield HostileToken("alg null", signer.seal(null, compact(make_claims())), "algorithm")


def _public_key_as_secret(signer: Signer) -> Iterator[HostileToken]:
    public = signer.key.public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    secrets = {
        "PEM": public.public_bytes(serialization.Encoding.PEM, info),
        "DER": public.public_bytes(serialization.Encoding.DER, info),
        "x and y": signer.x + signer.y,
        "JWK": compact(signer.jwk()),
    }
    for algorithm, code in {"HS256": "algorithm", "ES256": "signature"}.items():
        header, payload = compact(signer.header(alg=algorithm)), compact(make_claims())
        signed = f"{encode(header)}.{encode(payload)}"
        for name, secret in secrets.items():
            mac = hmac.digest(secret, signed.encode(), "sha256")
            yield HostileToken(
                f"{algorithm} keyed with the {name}", f"{signed}.{encode(mac)}", code
            )


def _strangers(signer: Signer) -> Iterator[HostileToken]:
    stranger = Signer("a-stranger")
    yield HostileToken("key of another shop", stranger.token(), "key")
    yield HostileToken("stranger with our kid", stranger.token({"kid": signer.kid}), "signature")
    yield HostileToken("own jwk in the header", stranger.token({"jwk": stranger.jwk()}), "header")
    own = {"jwk": stranger.jwk(), "kid": signer.kid}
    yield HostileToken("own jwk and our kid", stranger.token(own), "header")


def _key_ids(signer: Signer) -> Iterator[HostileToken]:
    kids: tuple[object, ...] = (
        "unknown", "../../dev/null", "'; DROP TABLE keys; --", "a\0b", "__proto__", "constructor",
        " " + signer.kid, signer.kid.upper(), "", "k" * 129, "k" * 2000, 7, {}, [], [signer.kid],
    )  # fmt: skip
    for kid in kids:
        name = f"kid {str(kid)[:30]!r} of {len(str(kid))} characters"
        yield HostileToken(name, signer.token({"kid": kid}), _code_of_key_id(kid))
    yield HostileToken("kid absent", signer.token({"kid": None}), "key")


def _code_of_key_id(kid: object) -> str:
    return "malformed" if isinstance(kid, str) and "\0" in kid else "key"


def _headers(signer: Signer) -> Iterator[HostileToken]:
    url = "http://127.0.0.1:9/keys.json"
    for member, value in {
        "jku": url, "x5u": url, "x5c": ["MIIB"], "x5t": "AAAA", "crit": ["exp"], "b64": False,
        "zip": "DEF",
        "enc": "A256GCM", "jwk": signer.jwk(),
    }.items():  # fmt: skip
        yield HostileToken(f"header {member}", signer.token({member: value}), "header")
    for typ in (None, "JWT", "refresh+jwt", "id_token", "AT+JWT", "application/at+jwt", ["at+jwt"]):
        yield HostileToken(f"typ {typ!r}", signer.token({"typ": typ}), "type")


def _claims(signer: Signer) -> Iterator[HostileToken]:
    issuer, audience, somebody = ISSUER, AUDIENCE, str(SOMEBODY)
    wrong: dict[tuple[str, str], list[object]] = {
        ("iss", "issuer"): [None, "", "other", f"{issuer}2", issuer[:-1], issuer.upper(), [issuer],
        {issuer: 1}],
        ("aud", "audience"): [
            None, "", "other", audience[:-1], f"{audience}2", audience.upper(), [], ["other"],
            [audience, 7],
            [audience, ""], [[audience]], {audience: 1}, 7,
        ],
        ("sub", "subject"): [
            None, "", "admin", "0", 7, [somebody], {"id": somebody}, f"{{{somebody}}}",
            f"urn:uuid:{somebody}",
            somebody.upper(), SOMEBODY.hex, f"{somebody} ", f"{somebody}\n",
        ],
        ("sid", "session"): [None, "", "x", 7, SOMEBODY.hex],
        ("jti", "token_id"): [None, "", 7, "j" * 256, ["x"]],
        ("roles", "roles"): [None, "staff", 7, {"staff": 1}, [7], [None], [["staff"]], [""],
        ["r" * 256]],
    }  # fmt: skip
    for (name, code), values in wrong.items():
        for value in values:
            yield HostileToken(f"{name} {str(value)[:50]!r}", signer.token(**{name: value}), code)


def _clients(signer: Signer) -> Iterator[HostileToken]:
    """Machine clients that are none, or claim what only people have."""
    good = client_claims("orders:read", client_id=CLIENT)
    wrong: dict[str, list[object]] = {
        "client_id": ["", 7, None, [], {}, [good["sub"]], str(SOMEBODY), f"{good['sub']} "],
        "scope": [None, "", " ", 7, [], ["orders:read"], "orders:read ", " orders:read",
        "orders:read  users:read", "orders:read\n", "orders:read\tusers:read", "Orders:read", "*",
        "a" * 256],
        "roles": [[], ["customer"], ["staff"], ["machine", "staff"], ["machine", "machine"],
        ["machine", "admin"]],
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            token = signer.token(**{**good, name: value})
            yield HostileToken(f"client's {name} {str(value)[:50]!r}", token, "client")
    null = {**make_claims(), "client_id": None}
    text = compact(null)
    yield HostileToken("client_id null", signer.seal(compact(signer.header()), text), "client")
    person = signer.token(roles=["customer", "machine"])
    yield HostileToken("person with a machine's role", person, "client")


def _times(signer: Signer) -> Iterator[HostileToken]:
    now = int(time.time())
    began = {"iat": now - 300, "nbf": now - 300}
    yield HostileToken("expired a minute ago", signer.token(**began, exp=now - 61), "expired")
    yield HostileToken(
        "expired just before the leeway", signer.token(**began, exp=now - 6), "expired"
    )
    yield HostileToken("expires in 100 years", signer.token(exp=now + 100 * 365 * 86400), "time")
    longer = now + LONGEST_LIFE_SECONDS + 1
    yield HostileToken("lives a second longer than any", signer.token(iat=now, exp=longer), "time")
    yield HostileToken("nbf ahead", signer.token(nbf=now + 600), "not_yet_valid")
    yield HostileToken("iat ahead", signer.token(iat=now + 600, exp=now + 900), "not_yet_valid")
    values: tuple[object, ...] = (None, str(now), "", -1, 0, True, [], [now], {}, 2**53, 10**30)
    for name in ("exp", "iat", "nbf"):
        for value in values:
            yield HostileToken(
                f"{name} {_label(value, now)}", signer.token(**{name: value}), "time"
            )


def _label(value: object, now: int) -> str:
    return repr(value).replace(str(now), "now")


def _time_literals(signer: Signer) -> Iterator[HostileToken]:
    soon = int(time.time()) + 60
    literals = {
        "NaN": b"NaN", "Infinity": b"Infinity", "-Infinity": b"-Infinity", "1e400": b"1e400",
        "5,000 digits": b"1" + b"0" * 5000, "hexadecimal": b"0x7fffffff",
        "leading zero": b"0%d" % soon, "plus": b"+%d" % soon,
    }  # fmt: skip
    header, payload = compact(signer.header()), compact(make_claims(exp="EXP"))
    for name, literal in literals.items():
        whole = payload.replace(b'"EXP"', literal)
        yield HostileToken(f"exp {name}", signer.seal(header, whole), "malformed")
    for name, literal in {
        "float": b"%d.0" % soon,
        "exponent": b"%de0" % soon,
        "401 digits": b"1" + b"0" * 400,
    }.items():
        whole = payload.replace(b'"EXP"', literal)
        yield HostileToken(f"exp {name}", signer.seal(header, whole), "time")


def _signatures(signer: Signer) -> Iterator[HostileToken]:
    signed, good = signer.token().rsplit(".", 1)
    raw = base64.urlsafe_b64decode(good + "==")
    zero, order = bytes(32), CURVE_ORDER.to_bytes(32, "big")
    forged = {
        "63 bytes": raw[:-1], "65 bytes": raw + b"\0", "32 bytes": raw[:32], "1 byte": b"\0",
        "DER": signer.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())), "all zero": bytes(64),
        "all ones": b"\xff" * 64,
        "r zero": zero + raw[32:], "s zero": raw[:32] + zero, "r is n": order + raw[32:],
        "s is n": raw[:32] + order,
        "r and s swapped": raw[32:] + raw[:32], "bit flipped": bytes([raw[0] ^ 1]) + raw[1:],
    }  # fmt: skip
    for name, signature in forged.items():
        yield HostileToken(f"signature {name}", f"{signed}.{encode(signature)}", "signature")
    yield HostileToken("signature empty", f"{signed}.", "malformed")


def _payloads_changed(signer: Signer) -> Iterator[HostileToken]:
    header, _, signature = signer.token().split(".")
    for name, change in {"roles": ["staff"], "sub": str(SOMEBODY)}.items():
        payload = encode(compact(make_claims(**{name: change})))
        yield HostileToken(
            f"{name} changed after signing", f"{header}.{payload}.{signature}", "signature"
        )
    other = encode(compact(signer.header(cty="x")))
    yield HostileToken(
        "header changed after signing", f"{other}.{payload}.{signature}", "signature"
    )


def _encodings(signer: Signer) -> Iterator[HostileToken]:
    token = signer.token()
    header, payload, signature = token.split(".")
    last = BASE64URL[BASE64URL.index(signature[-1]) ^ 1]
    for name, text in {
        "last character not canonical": token[:-1] + last, "padded": f"{token}==",
        "padded parts": f"{header}=.{payload}=.{signature}==",
        "plus and slash": f"{header}.{payload}.+/{signature[2:]}",
        "line break at the end": f"{token}\n",
        "line break inside": f"{header}.{payload[:9]}\r\n{payload[9:]}.{signature}",
        "blank at the end": f"{token} ", "one part": header, "two parts": f"{header}.{payload}",
        "four parts": f"{token}.{signature}",
        "five parts": f"{token}.{signature}.{signature}", "empty parts": "..", "empty": "",
        "quoted": f'"{token}"',
        "JSON form": compact({"protected": header, "payload": payload,
        "signature": signature}).decode(),
        "percent encoded": token.replace(".", "%2E"),
        "full-width dot": token.replace(".", "\uff0e"), "NUL": f"{token}\0",
        "not ASCII": f"{token}é", "lone surrogate": f"{token}\ud800",
        "length of 1 modulo 4": f"{header}.{payload}.{signature}AAA",
    }.items():  # fmt: skip
        yield HostileToken(name, text, "malformed")


def _sizes(signer: Signer) -> Iterator[HostileToken]:
    for kibibytes in (4, 9, 64):
        yield HostileToken(f"{kibibytes} KiB", signer.token(x="x" * kibibytes * 1024), "malformed")
    many = {f"x{number}": 1 for number in range(MAX_MEMBERS)}
    yield HostileToken("many claims", signer.token(**many), "malformed")
    yield HostileToken("many header members", signer.token(many), "malformed")


def _duplicates(signer: Signer) -> Iterator[HostileToken]:
    header, payload = compact(signer.header()), compact(make_claims())
    another = str(uuid7()).encode()
    for name, text in {
        "sub": payload[:-1] + b',"sub":"%s"}' % another,
        "exp": b'{"exp":%d,' % (time.time() + 200) + payload[1:],
        "sub, once escaped": payload[:-1] + b',"s\\u0075b":"%s"}' % another,
        "name of no interest": payload[:-1] + b',"x":1,"x":1}',
    }.items():
        yield HostileToken(f"duplicate {name}", signer.seal(header, text), "malformed")
    doubled = b'{"alg":"none",' + header[1:]
    yield HostileToken("duplicate alg", signer.seal(doubled, payload), "malformed")


def _not_json_objects(signer: Signer) -> Iterator[HostileToken]:
    header, payload = compact(signer.header()), compact(make_claims())
    for part, whole in {"header": header, "payload": payload}.items():
        for name, text in {
            "array": b"[" + whole + b"]", "text": b'"claims"', "null": b"null", "number": b"1",
            "huge number": b"9" * 5000,
            "bad UTF-8": whole[:-1] + b',"x":"\xff"}',
            "overlong UTF-8": whole[:-1] + b',"x":"\xc0\xaf"}',
            "UTF-16": whole.decode().encode("utf-16"),
            "UTF-16 unmarked": whole.decode().encode("utf-16-le"),
            "byte-order mark": b"\xef\xbb\xbf" + whole, "trailing text": whole + b"x",
            "two objects": whole + whole,
            "trailing comma": whole[:-1] + b",}", "single quotes": whole.replace(b'"', b"'"),
            "comment": b"/**/" + whole,
            "lone surrogate": whole[:-1] + b',"x":"\\ud800"}',
            "NUL": whole[:-1] + b',"x":"\\u0000"}',
            "nested": whole[:-1] + b',"x":' + DEEP + b"}",
        }.items():  # fmt: skip
            pair = (text, payload) if part == "header" else (header, text)
            yield HostileToken(f"{part} {name}", signer.seal(*pair), "malformed")
    yield HostileToken("header empty object", signer.seal(b"{}", payload), "algorithm")
    yield HostileToken("payload empty object", signer.seal(header, b"{}"), "issuer")
