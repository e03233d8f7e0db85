"""The key ring: next is published before it signs, previous stays published until its last token is
over.

No logout ever comes from a rotation: a verifier has had the next key for longer than it caches the
set, and finds the previous key for as long as a token of it can live (RFC 7517, 7638; design,
section 6).
"""

import base64
import hashlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from jwt.algorithms import ECAlgorithm

from servicekit.auth.backend import SigningKey as CurrentKey
from servicekit.conf import kit_settings
from users import selectors
from users.errors import NoSigningKey, UnreadableKeys
from users.models import SigningKey

LIFE_SECONDS: int = kit_settings.token_life_seconds
MARGIN_SECONDS: int = settings.SIGNING_KEY_MARGIN_SECONDS
LONGEST_MAX_AGE_SECONDS = 30
JWKS_MAX_AGE_SECONDS = min(LONGEST_MAX_AGE_SECONDS, MARGIN_SECONDS // 2)
#: Published at least this long before it signs: everybody's cached set is older than that by then.
PUBLISH_AHEAD_SECONDS = JWKS_MAX_AGE_SECONDS + MARGIN_SECONDS
#: Kept this long after it signed its last token: a token's life, the leeway, and processes that
#: still hold the old ring.
KEEP_PREVIOUS_SECONDS = LIFE_SECONDS + MARGIN_SECONDS
RING_CACHE_SECONDS = 5.0
#: A withdrawn key is refused everywhere by then; tests/repository adds up what each verifier may
#: take.
REFUSED_WITHIN_SECONDS = 60
LOCK = 0x4B_45_59

logger = logging.getLogger(__name__)

State = SigningKey.State


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What an emergency rotation did: the key that signs from now on, and those whose tokens are
    refused.
    """

    signing_kid: str
    withdrawn_kids: list[str]
    #: Sessions whose access token was good until then: each must refresh.
    sessions: int


class NextKeyTooYoung(RuntimeError):
    """The next key has not been published for long enough; signing with it would refuse good
    tokens.
    """

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(f"The next key must stay published for {wait_seconds} s more.")
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys as this process last read them."""

    current: CurrentKey
    jwks: dict[str, Any]
    read_at: float


_ring: Ring | None = None
_reading = threading.Lock()


def ring() -> Ring:
    """Return the ring, at most five seconds old.

    Raises:
        NoSigningKey: `ensure_signing_keys` was never run.
        UnreadableKeys: KEY_ENCRYPTION_KEY does not decrypt it.
    """
    global _ring
    with _reading:
        if _ring is None or time.monotonic() - _ring.read_at > RING_CACHE_SECONDS:
            _ring = _read()
        return _ring


def forget_ring() -> None:
    """Make this process read the ring anew."""
    global _ring
    _ring = None


def signing_key() -> CurrentKey:
    """Return the key that signs now; settings.SERVICEKIT names this function.

    Raises:
        NoSigningKey, UnreadableKeys: as `ring`.
    """
    return ring().current


def jwks() -> dict[str, Any]:
    """Return the public key set (RFC 7517): next, current, and previous while its tokens live."""
    return ring().jwks


def ensure_signing_keys() -> list[str]:
    """Make a current and a next key where there are none; return the ids of the new keys.

    Several at once make one set.

    Raises:
        UnreadableKeys: the keys that are there were encrypted under a key that KEY_ENCRYPTION_KEY
            no longer holds.
    """
    made = []
    with transaction.atomic():
        lock_ring()
        for state in (State.CURRENT, State.NEXT):
            if not SigningKey.objects.filter(state=state).exists():
                made.append(_make_key(state).kid)
    forget_ring()
    return made


def renew_encryption() -> int:
    """Encrypt every key under the first of KEY_ENCRYPTION_KEY that is not yet; return how many.

    Then the others may be removed.

    Raises:
        UnreadableKeys: a key was encrypted under a key that is not there any more.
    """
    first = MultiFernet([Fernet(settings.KEY_ENCRYPTION_KEYS[0])])
    renewed = 0
    with transaction.atomic():
        lock_ring()
        for row in SigningKey.objects.exclude(state=State.RETIRED):
            if not _is_in_use(row):
                continue
            if _decrypted(row, first) is None:
                row.encrypted_pem = first.encrypt(_pem(row))
                row.save(update_fields=["encrypted_pem"])
                renewed += 1
    forget_ring()
    return renewed


def rotate_signing_key() -> str:
    """Let the next key sign from now on; return its id.

    The current key becomes previous, and a new next is published.

    Raises:
        NextKeyTooYoung: verifiers may not have the next key yet.
    """
    with transaction.atomic():
        lock_ring()
        following = SigningKey.objects.get(state=State.NEXT)
        previous = SigningKey.objects.filter(state=State.PREVIOUS).first()
        wait = max(_seconds_left(following.changed_at, PUBLISH_AHEAD_SECONDS), _wait_for(previous))
        if wait > 0:
            raise NextKeyTooYoung(wait)
        if previous:
            _move(previous, State.RETIRED)
        _move(SigningKey.objects.get(state=State.CURRENT), State.PREVIOUS)
        _move(following, State.CURRENT)
        _make_key(State.NEXT)
    forget_ring()
    return following.kid


def withdraw_signing_keys() -> Withdrawal:
    """Withdraw every key at once and sign with a new key: for a key that was stolen.

    The next key is withdrawn too: it lies beside the others, encrypted alike. Access tokens of the
    withdrawn keys are refused as soon as a verifier has asked for the set again
    (docs/operations.md, "Keys"); sessions go on, since refresh tokens are signed by none.
    """
    sessions = selectors.count_sessions_with_access_token(LIFE_SECONDS)
    with transaction.atomic():
        lock_ring()
        withdrawn = list(SigningKey.objects.exclude(state=State.RETIRED).order_by("kid"))
        for key in withdrawn:
            _move(key, State.RETIRED)
        current = _make_key(State.CURRENT)
        _make_key(State.NEXT)
    forget_ring()
    kids = [key.kid for key in withdrawn]
    logger.warning("signing keys withdrawn", extra={"kids": kids, "sessions": sessions})
    return Withdrawal(current.kid, kids, sessions)


def cipher() -> MultiFernet:
    """Return what encrypts keys and answers at rest; the first of KEY_ENCRYPTION_KEY encrypts, all
    decrypt.
    """
    return MultiFernet([Fernet(key) for key in settings.KEY_ENCRYPTION_KEYS])


def _read() -> Ring:
    rows = {row.state: row for row in SigningKey.objects.exclude(state=State.RETIRED)}
    current = rows.get(State.CURRENT)
    if current is None:
        raise NoSigningKey
    published = [row for row in rows.values() if _is_in_use(row)]
    public = [_public(row) for row in sorted(published, key=lambda row: row.kid)]
    key = CurrentKey(current.kid, _private_key(current))
    return Ring(key, {"keys": public}, time.monotonic())


def _is_in_use(row: SigningKey) -> bool:
    """Whether tokens of it may be valid: a previous key is kept in the table for longer than they
    live.
    """
    return row.state != State.PREVIOUS or _wait_for(row) > 0


def _wait_for(previous: SigningKey | None) -> int:
    return _seconds_left(previous.changed_at, KEEP_PREVIOUS_SECONDS) if previous else 0


def _seconds_left(since: datetime, seconds: int) -> int:
    return int((since + timedelta(seconds=seconds) - timezone.now()).total_seconds())


def _make_key(state: SigningKey.State) -> SigningKey:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),  # the row is encrypted as a whole
    )
    kid = thumbprint(_members(key.public_key()))
    return SigningKey.objects.create(kid=kid, state=state, encrypted_pem=cipher().encrypt(pem))


def thumbprint(members: Mapping[str, str]) -> str:
    """Return the id of a public key, from its required JWK members alone (RFC 7638, section 3)."""
    canonical = json.dumps(dict(members), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _members(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    jwk: dict[str, str] = ECAlgorithm.to_jwk(key, as_dict=True)
    return {name: jwk[name] for name in ("crv", "kty", "x", "y")}


def _move(key: SigningKey, state: SigningKey.State) -> None:
    key.state = state
    key.changed_at = timezone.now()
    key.save(update_fields=["state", "changed_at"])


def _pem(row: SigningKey) -> bytes:
    pem = _decrypted(row, cipher())
    if pem is None:
        logger.error("KEY_ENCRYPTION_KEY does not decrypt a signing key", extra={"kid": row.kid})
        raise UnreadableKeys
    return pem


def _decrypted(row: SigningKey, by: MultiFernet) -> bytes | None:
    try:
        return by.decrypt(bytes(row.encrypted_pem))
    except InvalidToken:
        return None


def _private_key(row: SigningKey) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(_pem(row), password=None)
    return cast(ec.EllipticCurvePrivateKey, key)


def _public(row: SigningKey) -> dict[str, Any]:
    members = _members(_private_key(row).public_key())
    return {**members, "kid": row.kid, "alg": "ES256", "use": "sig"}


def lock_ring() -> None:
    """Let nobody else change the ring until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
