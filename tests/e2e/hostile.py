"""Forged, wrong and mangled tokens, made from a good one and the public key (the list T of the
threat catalogue).
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

ORDER_OF_THE_CURVE = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def forged(header: dict, claims: dict, key: ec.EllipticCurvePrivateKey) -> str:
    signed = f"{encode(as_json(header))}.{encode(as_json(claims))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def wrong_signatures(token: str) -> dict[str, str]:
    head, body, signature = token.split(".")
    raw = decode(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    curve = ORDER_OF_THE_CURVE.to_bytes(32, "big")
    bad = {
        "empty": b"",
        "DER form": encode_dss_signature(r, s),
        "63 bytes": raw[:-1],
        "65 bytes": raw + b"\0",
        "r is 0": bytes(32) + raw[32:],
        "s is 0": raw[:32] + bytes(32),
        "all 0": bytes(64),
        "r is n": curve + raw[32:],
        "all ones": b"\xff" * 64,
        "bit flipped": raw[:-1] + bytes([raw[-1] ^ 1]),
    }
    tokens = {f"signature {name}": f"{head}.{body}.{encode(value)}" for name, value in bad.items()}
    last = signature[-1]
    other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_bits = other[other.index(last) ^ 1]
    return tokens | {
        "signature padded": f"{token}==",
        "signature not canonical": f"{head}.{body}.{signature[:-1]}{same_bits}",
        "signature in the other alphabet": f"{head}.{body}."
        + base64.b64encode(b"\xfb\xff" * 32).decode().rstrip("="),
    }


def wrong_headers(token: str, jwk: dict) -> dict[str, str]:
    head, body, signature = token.split(".")
    header, claims = json.loads(decode(head)), json.loads(decode(body))
    own = ec.generate_private_key(ec.SECP256R1())
    point = own.public_key().public_numbers()
    own_jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": encode(point.x.to_bytes(32, "big")),
        "y": encode(point.y.to_bytes(32, "big")),
    }
    changes = {
        **{f"alg {alg!r}": {"alg": alg} for alg in ("None", "nOnE", " none", "es256", "HS256",
        "RS256", "ES384", "EdDSA", None, ["ES256"])},
        **{f"typ {typ!r}": {"typ": typ} for typ in ("JWT", "refresh+jwt", None)},
        **{f"kid {name}": {"kid": kid} for name, kid in {
            "unknown": "unknown", "path": "../../dev/null", "SQL": "' OR 1=1--", "NUL": "\0",
            "long": "x" * 3000,
            "number": 1, "object": {}, "null": None,
        }.items()},
        "own key in jwk": {"jwk": own_jwk},
        "jku": {"jku": "http://127.0.0.1:1/keys"},
        "x5c": {"x5c": ["AAAA"]},
        "crit": {"crit": ["exp"]},
        "b64": {"b64": False},
        "zip": {"zip": "DEF"},
    }  # fmt: skip
    tokens = {
        f"own signature, {name}": forged(header | change, claims, own)
        for name, change in changes.items()
    }
    swapped = {
        f"old signature, {name}": f"{encode(as_json(header | change))}.{body}.{signature}"
        for name, change in changes.items()
    }
    none = {
        f"unsigned, alg {alg!r}": f"{encode(as_json(header | {'alg': alg}))}.{body}."
        for alg in ("none", "None", "")
    }
    secrets = (as_json(jwk), decode(jwk["x"]) + decode(jwk["y"]))
    hs_head = f"{encode(as_json(header | {'alg': 'HS256'}))}.{body}"
    hs = {}
    for number, secret in enumerate(secrets):
        own_mark = hmac.new(secret, hs_head.encode(), hashlib.sha256).digest()
        hs[f"HS256 by public key {number}"] = f"{hs_head}.{encode(own_mark)}"
    return tokens | swapped | none | hs | {"own signature": forged(header, claims, own)}


def wrong_claims(token: str) -> dict[str, str]:
    head, body, signature = token.split(".")
    claims = json.loads(decode(body))
    changes = {
        "role": {"roles": ["staff"]}, "sub": {"sub": str(uuid.uuid4())},
        "exp later": {"exp": int(time.time()) + 10**6},
        "iss": {"iss": "other"}, "aud": {"aud": []},
    }  # fmt: skip
    tokens = {
        f"changed {name}": f"{head}.{encode(as_json(claims | change))}.{signature}"
        for name, change in changes.items()
    }
    raw = {"array": b"[]", "not UTF-8": b"\xff\xfe", "deep": b"[" * 4000, "empty": b""}
    return tokens | {
        f"payload {name}": f"{head}.{encode(value)}.{signature}" for name, value in raw.items()
    }


def wrong_shapes(token: str) -> dict[str, str]:
    head, body, signature = token.split(".")
    return {
        "two parts": f"{head}.{body}",
        "four parts": f"{token}.x",
        "five parts": f"{head}.{body}.{signature}.x.y",
        "dots": "...",
        "JSON": json.dumps({"protected": head, "payload": body, "signature": signature}),
        "quoted": f'"{token}"',
        "two in one": f"{token}, {token}",
        "trailing text": f"{token} more",
        "9 KB": token + "x" * 9000,
    }


def wrong_tokens(token: str, jwk: dict[str, Any]) -> dict[str, str]:
    """Return name → what stands after `Bearer `; each must be 401."""
    return (
        wrong_signatures(token)
        | wrong_headers(token, jwk)
        | wrong_claims(token)
        | wrong_shapes(token)
    )
