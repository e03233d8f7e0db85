"""Sessions that ended before their tokens did: logout, password change, deactivation, change of
role.

Each process keeps a snapshot of the table, at most a second old, so that a request costs no query
of its own. Once complete, it reads only what is new to it, so that its cost does not grow with the
table (docs/adr/0051-revocations-are-read-by-transaction.md).
"""

import heapq
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from servicekit.auth.token_rules import LEEWAY_SECONDS, LONGEST_LIFE_SECONDS
from servicekit.auth.tokens import Claims
from servicekit.models import RevokedSession

SNAPSHOT_SECONDS = 1.0
#: Now and then a process reads the whole table again, whatever it believes to know.
COMPLETE_SECONDS = 600.0
#: How long the last token of a session may be accepted: it may be issued by a clock that is ahead,
#: and be checked by one behind.
KEEP = timedelta(seconds=LONGEST_LIFE_SECONDS + 2 * LEEWAY_SECONDS)

# Every transaction below the horizon has ended: what it wrote is in this answer, or was never
# committed. So the rows of those at or above it are all that a later look can find new, however
# late they commit. Rows and horizon are of one statement: one snapshot.
READ = """
    SELECT horizon.id, revoked.subject, revoked.session, revoked.before, revoked.expires_at
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS id) AS horizon
    LEFT JOIN revoked_session AS revoked ON revoked.written_in >= %s AND revoked.expires_at > %s
"""
Row = tuple[UUID, UUID | None, datetime, datetime]


class _Snapshot:
    """The revocations that one process knows.

    One thread at a time adds to it, while any number look.
    """

    def __init__(self) -> None:
        self.horizon = 0
        self.last_own: object = None
        self.read_at = self.complete_at = float("-inf")
        self._sessions: dict[UUID, datetime] = {}
        self._subjects: dict[UUID, tuple[datetime, datetime]] = {}
        self._expiries: list[tuple[datetime, UUID]] = []

    def is_fresh(self) -> bool:
        """Whether it was read within a second, and after each revocation by this process."""
        return self.last_own is _last_own and time.monotonic() - self.read_at < SNAPSHOT_SECONDS

    def has(self, claims: Claims) -> bool:
        """Whether the token's session has ended."""
        if claims.session_id in self._sessions:
            return True
        ended = self._subjects.get(claims.subject)
        return ended is not None and _began_at(claims) <= ended[0].timestamp()

    def add(self, rows: Sequence[Row]) -> None:
        """Add what was read; a row that is known changes nothing."""
        for subject, session, before, expires_at in rows:
            if session is not None:
                self._add_session(session, expires_at)
            else:
                self._add_subject(subject, before, expires_at)

    def drop_expired(self, now: datetime) -> None:
        """Forget what the last token of has expired."""
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heapq.heappop(self._expiries)
            # A key that was revoked again has a later expiry further down the heap.
            if key in self._sessions and self._sessions[key] <= now:
                del self._sessions[key]
            if key in self._subjects and self._subjects[key][1] <= now:
                del self._subjects[key]

    def _add_session(self, session: UUID, expires_at: datetime) -> None:
        known = self._sessions.get(session)
        if known is None or known < expires_at:
            self._sessions[session] = expires_at
            heapq.heappush(self._expiries, (expires_at, session))

    def _add_subject(self, subject: UUID, before: datetime, expires_at: datetime) -> None:
        known = self._subjects.get(subject, (before, expires_at))
        latest = max(known[0], before), max(known[1], expires_at)
        if self._subjects.get(subject) != latest:
            self._subjects[subject] = latest
            heapq.heappush(self._expiries, (latest[1], subject))


_snapshot = _Snapshot()
_reading = threading.Lock()
#: The last revocation by this process itself: a snapshot that was read before it is too old.
_last_own: object = object()


def revoke(session_id: UUID | None, subject: UUID, before: datetime) -> None:
    """Refuse from now on the tokens of one session, or with None those of every session `subject`
    began before `before`.

    Saying it twice changes nothing.
    """
    row = RevokedSession(
        subject=subject, session=session_id, before=before, expires_at=timezone.now() + KEEP
    )
    RevokedSession.objects.bulk_create([row], ignore_conflicts=True)
    _age_snapshot()
    # Again once others see the row: a thread may have looked before.
    transaction.on_commit(_age_snapshot)


def keep(revoked: Sequence[tuple[UUID | None, UUID, datetime]]) -> None:
    """Refuse what another service revoked: session, subject and moment of each, as for `revoke`."""
    expires_at = timezone.now() + KEEP
    rows = [
        RevokedSession(subject=subject, session=session_id, before=before, expires_at=expires_at)
        for session_id, subject, before in revoked
    ]
    RevokedSession.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def rows_since(horizon: int) -> tuple[int, list[Row]]:
    """Return the present horizon, and the rows of transactions that had not ended by the one
    before; since 0, all rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(READ, [horizon, timezone.now()])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found[0][0], [row[1:] for row in found if row[1] is not None]


def is_revoked(claims: Claims) -> bool:
    """Whether the token's session has ended."""
    return _current().has(claims)


def forget() -> None:
    """Drop the snapshot: this process reads the whole table at the next request."""
    global _snapshot
    _snapshot = _Snapshot()


def _age_snapshot() -> None:
    global _last_own
    _last_own = object()


def _current() -> _Snapshot:
    snapshot = _snapshot
    if snapshot.is_fresh():
        return snapshot
    # One thread reads, the others go on with what is there; unless it lacks what this process
    # itself has revoked.
    if not _reading.acquire(blocking=snapshot.last_own is not _last_own):
        return snapshot
    try:
        return _snapshot if _snapshot.is_fresh() else _read()
    finally:
        _reading.release()


def _read() -> _Snapshot:
    """Bring the snapshot up to date: with what is new, or from nothing, now and then."""
    global _snapshot
    started, last_own = time.monotonic(), _last_own
    known = _snapshot
    if started - known.complete_at > COMPLETE_SECONDS:
        known = _Snapshot()
    horizon, rows = rows_since(known.horizon)
    if horizon < known.horizon:
        # The ids of transactions have gone back: this is another database, restored from a backup
        # perhaps.
        known = _Snapshot()
        horizon, rows = rows_since(known.horizon)
    if known is not _snapshot:
        known.complete_at = started
    known.add(rows)
    known.drop_expired(timezone.now())
    known.horizon, known.last_own, known.read_at = horizon, last_own, started
    _snapshot = known
    return known


def _began_at(claims: Claims) -> float:
    """Return when the session began: a UUIDv7 says it to the millisecond, `iat` only to the second
    and anew at each refresh.

    Whoever logs in again in the second of a revocation is thereby let in.
    """
    if claims.session_id.version == 7:
        return (claims.session_id.int >> 80) / 1000
    return float(claims.issued_at)
