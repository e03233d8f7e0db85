"""Sessions that ended before their tokens did: logout, password change, deactivation, change of role.

Each process keeps a snapshot of the short table, at most a second old, so that a request costs no query of its own.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from servicekit.models import RevokedSession
from servicekit.tokens import LEEWAY_SECONDS, LONGEST_LIFE_SECONDS, Claims

SNAPSHOT_SECONDS = 1.0
PURGE_AT_MOST = 1000

PURGE = """
    DELETE FROM revoked_session WHERE id IN (
        SELECT id FROM revoked_session WHERE expires_at < clock_timestamp() LIMIT %s FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    sessions: frozenset[UUID] = frozenset()
    subjects: Mapping[UUID, datetime] = field(default_factory=dict)
    read_at: float = float("-inf")


_snapshot = _Snapshot()
_reading = threading.Lock()


def revoke(session_id: UUID | None, subject: UUID, before: datetime) -> None:
    """Refuse from now on the tokens of one session, or with None those of every session `subject` began before `before`.

    Saying it twice changes nothing. Rows whose tokens have all expired are removed on the way.
    """
    expires_at = timezone.now() + timedelta(seconds=LONGEST_LIFE_SECONDS + LEEWAY_SECONDS)
    row = RevokedSession(subject=subject, session=session_id, before=before, expires_at=expires_at)
    RevokedSession.objects.bulk_create([row], ignore_conflicts=True)
    with connection.cursor() as cursor:
        cursor.execute(PURGE, [PURGE_AT_MOST])
    forget()


def is_revoked(claims: Claims) -> bool:
    """Whether the token's session has ended."""
    snapshot = _current()
    if claims.session_id in snapshot.sessions:
        return True
    before = snapshot.subjects.get(claims.subject)
    return before is not None and _began_at(claims) <= before.timestamp()


def forget() -> None:
    """Drop the snapshot: this process reads the table at the next request."""
    global _snapshot
    _snapshot = _Snapshot()


def _current() -> _Snapshot:
    snapshot = _snapshot
    if time.monotonic() - snapshot.read_at < SNAPSHOT_SECONDS:
        return snapshot
    # One thread reads, the others go on with what is there. Only an empty start makes them wait.
    if not _reading.acquire(blocking=snapshot.read_at == float("-inf")):
        return snapshot
    try:
        return _read()
    finally:
        _reading.release()


def _read() -> _Snapshot:
    global _snapshot
    read_at = time.monotonic()
    rows = RevokedSession.objects.filter(expires_at__gt=timezone.now()).order_by("before")
    ended = list(rows.values_list("subject", "session", "before"))
    _snapshot = _Snapshot(
        sessions=frozenset(session for _, session, _ in ended if session is not None),
        subjects={subject: before for subject, session, before in ended if session is None},
        read_at=read_at,
    )
    return _snapshot


def _began_at(claims: Claims) -> float:
    """Return when the session began: a UUIDv7 says it to the millisecond, `iat` only to the second and anew at each refresh.

    Whoever logs in again in the second of a revocation is thereby let in.
    """
    if claims.session_id.version == 7:
        return (claims.session_id.int >> 80) / 1000
    return float(claims.issued_at)
