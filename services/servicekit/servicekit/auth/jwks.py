"""The public keys that access tokens are signed with: fetched from users, remembered, and kept when
users is away.

A web process has its set from its start on, and keeps it fresh whether or not anybody shows a
token (docs/adr/0101-keys-are-had-from-the-start.md). A request never waits for a slow users service
while a recent set is at hand: one thread fetches, outside any lock that readers take. Only where
nobody has asked for a while does the first request wait for a newer set, so that a withdrawn key is
refused in time even by a process that was stopped for a while.
The setting `token_keys` (the dotted path of a function that returns the JWKS as a dict) replaces
the fetch where the keys are at home.
"""

import json
import logging
import platform
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import requests
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils.module_loading import import_string
from jwt.algorithms import ECAlgorithm
from jwt.exceptions import InvalidKeyError

from servicekit.auth.token_rules import MAX_KEY_ID_LENGTH
from servicekit.conf import kit_settings
from servicekit.http import strict_json
from servicekit.http.problems import ServiceUnavailable

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 65_536
CONNECT_SECONDS, READ_SECONDS = 1.0, 2.0
REFRESH_SECONDS = 20.0
#: A process that was idle does not use a set of that age before users was asked again, or did not
#: answer.
TOO_OLD_SECONDS = 45.0
UNKNOWN_KEY_PAUSE_SECONDS = 10.0
NO_KEYS_PAUSE_SECONDS = 1.0

Keys = Mapping[str, ec.EllipticCurvePublicKey]


class KeysUnavailable(ServiceUnavailable):
    """No key set was ever had: tokens can be called neither good nor bad."""

    code = "keys_unavailable"

    def __init__(self) -> None:
        super().__init__("Tokens cannot be checked yet. Try again.")


class UnusableKeySet(ValueError):
    """The answer is no key set with at least one usable key."""


class KeySet:
    """The last good key set of this process, and when to ask for a newer set."""

    def __init__(
        self, fetch: Callable[[], bytes], *, background: bool, cache_file: Path | None = None
    ) -> None:
        self._fetch = fetch
        self._background = background
        self._cache_file = cache_file
        self._fetching = threading.Lock()
        # Of the last attempt, good or bad: a server that is down is not asked at every request.
        self._asked_at = float("-inf")
        # When the last fetch that has ended was begun: what is here is as old as that.
        self._settled_at = float("-inf")
        self.keys: Keys = {}
        self.generation = 0
        if cache_file is not None:
            self._load(cache_file)

    def find(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        """Return the key, or None when no key of the newest set we may ask for has that id.

        Raises:
            KeysUnavailable: no set was ever had.
        """
        key = self.keys.get(kid)
        if key is None:
            pause = UNKNOWN_KEY_PAUSE_SECONDS if self.keys else NO_KEYS_PAUSE_SECONDS
            self._refresh_or_wait(pause)
            key = self.keys.get(kid)
        if not self.keys:
            raise KeysUnavailable
        return key

    def refresh_if_old(self) -> None:
        """Start a fetch when the set is old.

        Whoever asks meanwhile uses what is here, unless that is too old.
        """
        if self._is_too_old():
            self._refresh_or_wait(REFRESH_SECONDS, wait_seconds=CONNECT_SECONDS + READ_SECONDS)
            return
        if self._age() < REFRESH_SECONDS or not self._fetching.acquire(blocking=False):
            return
        if self._background and self.keys:
            # The lock goes along and is released there: one fetch at a time, and no request waits.
            threading.Thread(target=self._fetch_and_release, name="keyset", daemon=True).start()
        else:
            self._fetch_and_release()

    def refresh_unasked(self) -> None:
        """Fetch in this thread if the set is old, or if there is none yet.

        For a thread of its own that calls this every NO_KEYS_PAUSE_SECONDS.
        """
        self._refresh_or_wait(REFRESH_SECONDS if self.keys else NO_KEYS_PAUSE_SECONDS)

    def _age(self) -> float:
        return time.monotonic() - self._asked_at

    def _is_too_old(self) -> bool:
        return time.monotonic() - self._settled_at >= TOO_OLD_SECONDS

    def _refresh_or_wait(
        self, pause_seconds: float, *, wait_seconds: float = CONNECT_SECONDS
    ) -> None:
        """Fetch unless that was tried a moment ago; if another thread is at it, wait a little for
        its result.
        """
        if self._fetching.acquire(blocking=False):
            if self._age() >= pause_seconds:
                self._fetch_and_release()
            else:
                self._fetching.release()
        elif self._fetching.acquire(timeout=wait_seconds):
            self._fetching.release()

    def _fetch_and_release(self) -> None:
        asked_at = self._asked_at = time.monotonic()
        try:
            raw = self._fetch()
            self._accept(read_keys(raw))
        except (requests.RequestException, UnusableKeySet, OSError) as error:
            logger.warning("key set not refreshed", extra={"reason": str(error)[:200]})
            if not self.keys and self._cache_file is not None:
                # A neighbour may have had an answer since.
                self._load(self._cache_file)
        else:
            self._save(raw)
        finally:
            self._settled_at = asked_at
            self._fetching.release()

    def _accept(self, keys: Keys) -> None:
        # Compared by value: the same keys in a new answer must not drop the verified tokens.
        if _numbers(keys) != _numbers(self.keys):
            self.keys = keys
            self.generation += 1

    def _load(self, path: Path) -> None:
        try:
            self._accept(read_keys(path.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, UnusableKeySet) as error:
            logger.warning("kept key set not usable", extra={"reason": str(error)[:200]})

    def _save(self, raw: bytes) -> None:
        if self._cache_file is None:
            return
        # Written beside and renamed: a process that dies here leaves the old file whole. Containers
        # that share the folder have ids of threads in common.
        writer = f"{platform.node()}-{threading.get_native_id()}"
        partial = self._cache_file.with_name(f"{self._cache_file.name}.{writer}")
        try:
            partial.write_bytes(raw)
            partial.replace(self._cache_file)
        except OSError as error:
            logger.warning("key set not kept", extra={"reason": str(error)[:200]})


def read_keys(raw: bytes) -> Keys:
    """Return the usable keys of a JWKS (RFC 7517) by id; other kinds of keys are skipped.

    Raises:
        UnusableKeySet: it is no JWKS, or has no usable key.
    """
    try:
        listed = strict_json.loads(raw)["keys"]
        keys = {jwk["kid"]: _public_key(jwk) for jwk in listed if _is_usable(jwk)}
    except (ValueError, KeyError, TypeError, InvalidKeyError) as error:
        raise UnusableKeySet(f"not a key set: {error!r}") from None
    if not keys:
        raise UnusableKeySet("no usable key")
    return keys


def _is_usable(jwk: Any) -> bool:
    return (
        isinstance(jwk, dict)
        and (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256")
        and jwk.get("alg", "ES256") == "ES256"
        and jwk.get("use", "sig") == "sig"
        # A private key that was published by mistake is known to everybody.
        and "d" not in jwk
        and isinstance(jwk.get("kid"), str)
        and 0 < len(jwk["kid"]) <= MAX_KEY_ID_LENGTH
    )


def _public_key(jwk: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    return cast(ec.EllipticCurvePublicKey, ECAlgorithm.from_jwk(jwk))


def _numbers(keys: Keys) -> dict[str, ec.EllipticCurvePublicNumbers]:
    return {kid: key.public_numbers() for kid, key in keys.items()}


def fetch_over_http(url: str, *, max_bytes: int = MAX_BODY_BYTES, part_bytes: int = 1) -> bytes:
    """Return the body at `url`, at most `max_bytes` of it, within about three seconds.

    The time is looked at after each part: a longer read waits until it is full, and one byte is
    right where a request may wait for it.

    Raises:
        requests.RequestException: nobody answers, too slowly, or with something other than 200.
        UnusableKeySet: the body is too large.
    """
    deadline = time.monotonic() + CONNECT_SECONDS + READ_SECONDS
    with requests.Session() as session:
        # A proxy from the environment has no business between two of our services.
        session.trust_env = False
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        # A redirect could lead to keys of somebody else.
        with session.get(url, timeout=timeout, stream=True, allow_redirects=False) as response:
            if response.status_code != 200:
                raise requests.HTTPError(f"status {response.status_code}")
            body = bytearray()
            for part in response.iter_content(part_bytes):
                body += part
                if len(body) > max_bytes:
                    raise UnusableKeySet(f"larger than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise requests.Timeout("the body came too slowly")
            return bytes(body)


def _from_settings() -> KeySet:
    if kit_settings.token_keys:
        local = import_string(kit_settings.token_keys)
        return KeySet(lambda: json.dumps(local()).encode(), background=False)
    cache_file = kit_settings.jwks_cache_file
    return KeySet(
        lambda: fetch_over_http(kit_settings.jwks_url),
        background=True,
        cache_file=Path(cache_file) if cache_file else None,
    )


_shared: KeySet | None = None
_making = threading.Lock()


def _key_set() -> KeySet:
    global _shared
    if _shared is None:
        with _making:
            _shared = _shared or _from_settings()
    return _shared


def find(kid: str) -> ec.EllipticCurvePublicKey | None:
    """Return the key with that id (see KeySet.find)."""
    return _key_set().find(kid)


def generation() -> int:
    """Return a number that changes with the key set; ask for a newer set first if ours is old."""
    keys = _key_set()
    keys.refresh_if_old()
    return keys.generation


def refresh_unasked() -> None:
    """Fetch this process's set if it is old or missing (see KeySet.refresh_unasked)."""
    _key_set().refresh_unasked()


def forget() -> None:
    """Drop this process's set; the next use makes a new set from settings (for tests and after a
    rotation in users).
    """
    global _shared
    _shared = None
