"""News of changed orders, for the process that tells clients (orders.live), over Redis.

News may be lost: Redis keeps none, and a process may end between its commit and its news. Whoever
listens reads again, now and then, what he follows (docs/adr/0104-live-is-a-process-of-its-own.md).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import orjson
import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

CHANNEL = "orders.changed"
#: More are not kept while Redis is away: the listeners read them by themselves.
MOST_KEPT = 10_000
MOST_AT_ONCE = 500
REDIS_SECONDS, PAUSE_SECONDS = 1.0, 1.0


class Change(NamedTuple):
    """An order that has just got this version."""

    order_id: UUID
    user_id: UUID
    version: int
    status: str


def announce_after_commit(changes: Iterable[Change]) -> None:
    """Tell the listeners once this transaction is committed; never waits for Redis."""
    found = list(changes)
    if found and settings.REDIS_URL:
        transaction.on_commit(lambda: _announcer.add(found))


def pack(changes: Iterable[Change]) -> bytes:
    """Return the message that tells of the changes."""
    return orjson.dumps([tuple(change) for change in changes])


def unpack(message: bytes) -> list[Change]:
    """Return the changes that a message tells of.

    Raises:
        ValueError: it is no such message.
    """
    try:
        return [
            Change(UUID(order_id), UUID(user_id), int(version), str(status))
            for order_id, user_id, version, status in orjson.loads(message)
        ]
    except (TypeError, AttributeError) as error:
        raise ValueError("no news of orders") from error


class _Announcer:
    """Publishes from a thread of its own: what is there at once, so that news of a busy process
    share a message.
    """

    def __init__(self) -> None:
        self._kept: deque[Change] = deque(maxlen=MOST_KEPT)
        self._bell = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_well = True

    def add(self, changes: list[Change]) -> None:
        self._kept.extend(changes)
        self._bell.set()
        # A thread does not survive a fork, and gunicorn's workers are forks.
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        retry = Retry(NoBackoff(), 0)
        seconds = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
        client = redis.Redis.from_url(settings.REDIS_URL, retry=retry, **seconds)
        while True:
            self._bell.wait()
            self._bell.clear()
            try:
                self._publish(client)
            except (redis.RedisError, OSError) as error:
                self._note(is_well=False, reason=f"{type(error).__name__}: {error}"[:200])
                time.sleep(PAUSE_SECONDS)
                self._bell.set()

    def _publish(self, client: redis.Redis) -> None:
        while self._kept:
            batch = [self._kept.popleft() for _ in range(min(len(self._kept), MOST_AT_ONCE))]
            client.publish(CHANNEL, pack(batch))
            self._note(is_well=True)

    def _note(self, *, is_well: bool, reason: str = "") -> None:
        if is_well is not self._is_well:
            level = logging.INFO if is_well else logging.WARNING
            what = "announced again" if is_well else "not announced"
            logger.log(level, "changed orders are %s", what, extra={"reason": reason})
        self._is_well = is_well


_announcer = _Announcer()
