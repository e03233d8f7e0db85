"""An authenticator in software and the browser before it, for tests (W3C WebAuthn, level 3).

What a test wants wrong is an argument: another origin, another domain, another key's id.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings

from tests.factories import PASSWORD, make_account
from users.models import Account, Passkey
from users.services.factors import passkeys

# Its port is that of the gateway, which the environment may name.
ORIGIN: str = settings.PASSKEY_RELYING_PARTY.origins[0]
PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40
ES256 = -7
Json = dict[str, Any]


def text_of(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """A security key with one passkey; `count` is what it reports next, 0 where it never counts."""

    origin: str = ORIGIN
    count: int = 1
    flags: int = PRESENT | VERIFIED
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    user_handle: bytes = b""

    def create(self, options: Json, **wrong: Any) -> Json:
        """Answer `navigator.credentials.create()`, and count."""
        self.user_handle = bytes_of(options["user"]["id"])
        data = wrong.pop("auth_data", None) or self.auth_data(
            wrong.pop("rp_id", options["rp"]["id"]), wrong.pop("cose_key", None)
        )
        self.count += bool(self.count)
        statement = {"fmt": "none", "attStmt": {}, "authData": data, **wrong.pop("statement", {})}
        attestation = wrong.pop("attestation", None) or cbor2.dumps(statement)
        response = {
            "clientDataJSON": self.client_data("webauthn.create", options, wrong),
            "attestationObject": text_of(attestation),
            "transports": ["usb", "a transport of tomorrow"],
        }
        return self._credential(response)

    def get(self, options: Json, **wrong: Any) -> Json:
        """Answer `navigator.credentials.get()`, and count."""
        data = self._head(wrong.pop("rp_id", options["rpId"]), self.flags)
        self.count += bool(self.count)
        client_data = self.client_data("webauthn.get", options, wrong)
        signed = data + hashlib.sha256(bytes_of(client_data)).digest()
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": text_of(data),
            "signature": text_of(self.key.sign(signed, ECDSA(SHA256()))),
            "userHandle": text_of(self.user_handle),
        }
        return self._credential(response)

    def cose_key(self, **wrong: Any) -> dict[int, Any]:
        """The public key as RFC 9052 writes it."""
        numbers = self.key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return {1: 2, 3: wrong.get("alg", ES256), -1: 1, -2: wrong.get("x", x), -3: y}

    def auth_data(self, rp_id: str, cose_key: Any = None) -> bytes:
        """What a new key's authenticator says of it."""
        length = len(self.credential_id).to_bytes(2, "big")
        key = cbor2.dumps(cose_key or self.cose_key())
        head = self._head(rp_id, self.flags | HAS_KEY)
        return head + bytes(16) + length + self.credential_id + key

    def client_data(self, kind: str, options: Json, wrong: Json) -> str:
        """What the browser says of the page that asked."""
        said = {
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": False,
            **wrong,
        }
        return text_of(json.dumps(said).encode())

    def _head(self, rp_id: str, flags: int) -> bytes:
        digest = hashlib.sha256(rp_id.encode()).digest()
        return digest + bytes([flags]) + self.count.to_bytes(4, "big")

    def _credential(self, response: Json) -> Json:
        credential_id = text_of(self.credential_id)
        return {
            "id": credential_id,
            "rawId": credential_id,
            "type": "public-key",
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "response": response,
        }


@dataclass
class Owner:
    """An account with a passkey, and its recovery codes."""

    account: Account
    key: Authenticator
    recovery_codes: list[str]

    @property
    def passkey(self) -> Passkey:
        return Passkey.objects.get(credential_id=self.key.credential_id)

    def recovery_code(self, number: int = 0) -> str:
        """Return a recovery code as the API passes it on."""
        return self.recovery_codes[number].replace("-", "")


def with_passkey(
    account: Account | None = None, key: Authenticator | None = None, **proof: Any
) -> Owner:
    """Add a passkey to an account; `proof` is of the second factor that it has."""
    account, key = account or make_account(), key or Authenticator()
    options = passkeys.begin(account_id=account.pk, current_password=PASSWORD, proof=proof)
    added = passkeys.register(
        account_id=account.pk, name="Key", credential=key.create(options), session_id=None
    )
    return Owner(account, key, added.recovery_codes)
