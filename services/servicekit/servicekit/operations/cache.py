"""Pages kept in Redis for a second at most; it may be away, frozen, flushed or garbled.

Whatever Redis does costs a caller milliseconds, never the answer: what cannot be read is made. A
page is kept under the generation of the data that was current before it was made; after the commit
of a change another begins, and no page of before is found any more. A process that dies between the
two leaves pages that end by themselves, a second after they were made
(docs/adr/0083-caches-are-two-seconds-old-at-most.md).
"""

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import orjson
from django.core.cache import cache
from django.db import transaction

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: A page is found for so long, and made anew by whoever finds it older than the second value.
KEPT_SECONDS, FRESH_SECONDS = 1.0, 0.5
#: Who makes a page has so long before another caller tries; others wait so long for their first.
MAKING_SECONDS, WAIT_SECONDS, LOOK_SECONDS = 0.3, 0.1, 0.01
#: After a failure Redis is left alone for so long.
PAUSE_SECONDS = 1.0
GENERATION = "generation"
GENERATION_FORM = re.compile(rb"g[0-9a-f]{32}")
DIGEST_BYTES = 16


class PlainBytes:
    """django-redis' serializer that leaves values as they are: pickle would run what it reads."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Take the options of CACHES; there are none for it."""

    def dumps(self, value: Any) -> bytes:
        """Return the bytes."""
        return bytes(value)

    def loads(self, value: bytes) -> bytes:
        """Return the bytes."""
        return value


@dataclass(frozen=True, slots=True)
class Page:
    """An answer's bytes and its entity tag, quotes included."""

    body: bytes
    tag: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What Redis said: the generation, and the page if there is one of it, and its age."""

    generation: bytes
    page: Page | None = None
    age_seconds: float = 0.0

    @property
    def is_fresh(self) -> bool:
        return 0 <= self.age_seconds < FRESH_SECONDS


class _Guard:
    """Asks Redis, and after a failure nobody for a second; then one thread tries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_try = 0.0
        self.failure = ""

    def ask(self, question: Callable[[], T]) -> T | None:
        """Return the answer; None where there is none."""
        with self._lock:
            now = time.monotonic()
            if now < self._next_try:
                return None
            if self.failure:
                self._next_try = now + PAUSE_SECONDS
        try:
            answer = question()
        except Exception as error:  # a cache has no error that concerns the caller
            self._note(f"{type(error).__name__}: {error.__cause__ or error}"[:200])
            return None
        if self.failure:
            self._note("")
        return answer

    def _note(self, failure: str) -> None:
        if bool(failure) != bool(self.failure):
            logger.warning("cache is away" if failure else "cache is back", extra={"why": failure})
        with self._lock:
            self.failure = failure
            self._next_try = time.monotonic() + PAUSE_SECONDS if failure else 0.0


_guard = _Guard()


def page(name: str, make: Callable[[], Page]) -> Page:
    """Return the page of this name, at most a second old, or made now.

    Of many who find it missing or old, one makes it; the others get the last, or wait for it
    briefly. What `make` raises is raised, and nothing is kept.
    """
    key = f"page:{hashlib.blake2b(name.encode(), digest_size=DIGEST_BYTES).hexdigest()}"
    found = _look(key)
    if found is None:
        return make()
    if found.page and found.is_fresh:
        return found.page
    if not _guard.ask(lambda: cache.add(f"{key}:maker", b"-", timeout=MAKING_SECONDS)):
        last = found.page or _await(key)
        if last:
            return last
    return _made(key, found.generation, make)


def renew_after_commit() -> None:
    """Let no page be found any more that was made before this transaction's change."""
    transaction.on_commit(_renew)


def _renew() -> None:
    _guard.ask(lambda: cache.set(GENERATION, _new_generation(), timeout=None))


def finding() -> str:
    """Return what is wrong, for /readyz."""
    _guard.ask(lambda: cache.get(GENERATION, b""))
    failure = _guard.failure
    return f"away, pages are made for each reader ({failure})" if failure else ""


def reset() -> None:
    """Forget past failures (for tests)."""
    global _guard
    _guard = _Guard()


def _look(key: str) -> _Found | None:
    """Ask for generation and page in one trip; None if nothing can be kept now."""
    values = _guard.ask(lambda: cache.get_many([GENERATION, key]))
    if values is None:
        return None
    generation = values.get(GENERATION)
    if not isinstance(generation, bytes) or not GENERATION_FORM.fullmatch(generation):
        _renew()
        return None
    made_at, found = _unpacked(key, generation, values.get(key))
    return _Found(generation, found, time.time() - made_at)


def _await(key: str) -> Page | None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        found = _look(key)
        if found is None or found.page:
            return found.page if found else None
    return None


def _made(key: str, generation: bytes, make: Callable[[], Page]) -> Page:
    made_at = time.time()
    try:
        made = make()
    except Exception:
        _guard.ask(lambda: cache.delete(f"{key}:maker"))
        raise
    rest = KEPT_SECONDS - (time.time() - made_at)
    if rest > 0:
        value = _packed(key, generation, made_at, made)
        _guard.ask(lambda: cache.set(key, value, timeout=rest))
    return made


def _packed(key: str, generation: bytes, made_at: float, made: Page) -> bytes:
    head = orjson.dumps([generation.decode(), made_at, made.tag])
    content = head + b"\n" + made.body
    return _digest(key, content) + content


def _unpacked(key: str, generation: bytes, value: Any) -> tuple[float, Page | None]:
    """Return when a page was made, and the page, if it is one of this key and generation."""
    if not isinstance(value, bytes) or _digest(key, value[DIGEST_BYTES:]) != value[:DIGEST_BYTES]:
        return 0.0, None
    head, _, body = value[DIGEST_BYTES:].partition(b"\n")
    of, made_at, tag = orjson.loads(head)
    return made_at, Page(body, tag) if of.encode() == generation else None


def _digest(key: str, content: bytes) -> bytes:
    """Of the page under its own key, in this form: another form has another `person`."""
    form = b"page 1"
    made = hashlib.blake2b(content, digest_size=DIGEST_BYTES, key=key.encode(), person=form)
    return made.digest()


def _new_generation() -> bytes:
    return f"g{uuid4().hex}".encode()
