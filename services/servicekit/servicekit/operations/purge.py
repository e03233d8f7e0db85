"""Purges: delete the rows that have served their purpose, in every table that grows.

A purge goes on until a batch is not full and rests as long as each batch took: it keeps up with any rate of writing that the
database itself keeps up with, and takes half of one connection's time at most (docs/adr/0050-purges-run-until-done.md).
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils.module_loading import import_string

from servicekit.database import is_database_away
from servicekit.operations import metrics

logger = logging.getLogger(__name__)

LOCK = 0x50_55_52  # any number: the lock is per database, and each service has its own
BATCH = 5000
EVERY_SECONDS = 60.0
#: A purge that cannot have a table at once leaves it for its next round.
LOCK_TIMEOUT_MILLISECONDS = 1000


class PurgeRuns(RuntimeError):
    """Another process is purging this database."""


@dataclass(frozen=True, slots=True)
class Purge:
    """How the old rows of one table are found.

    `table` is for people, and names one purge of a table that has two. `statement` deletes at most `%(batch)s` of those that are older than `%(days)s` days, oldest first. It must compare a column
    with an index to statement_timestamp(): no index is used for clock_timestamp(), which changes from row to row.
    """

    table: str
    statement: str
    days: int


@dataclass(frozen=True, slots=True)
class Purged:
    """What came of one purge: how many rows it deleted, and why it ended early, if it did."""

    table: str
    deleted: int
    error: str = ""


# A row that somebody retried has actions, which go with it.
_DELETE_EVENTS = """
    WITH old AS MATERIALIZED (
        SELECT position FROM outbox
        WHERE {age} < statement_timestamp() - %(days)s * interval '1 day'
        ORDER BY {age} LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM outbox_action WHERE event_id = ANY(ARRAY(SELECT position FROM old))
    )
    DELETE FROM outbox WHERE position = ANY(ARRAY(SELECT position FROM old))
"""
OUTBOX = Purge("outbox", _DELETE_EVENTS.format(age="sent_at"), days=7)
DISCARDED_EVENTS = Purge(
    "outbox (discarded)",
    _DELETE_EVENTS.format(age="discarded_at").replace("WHERE", "WHERE parked_at IS NOT NULL AND", 1),
    days=90,
)
#: Money and stock have unique keys of their own in their ledgers, for ever: a repeat after 30 days still has no effect.
INBOX = Purge(
    "inbox",
    """
    DELETE FROM inbox WHERE id = ANY(ARRAY(
        SELECT id FROM inbox
        WHERE handled_at < statement_timestamp() - %(days)s * interval '1 day'
        ORDER BY handled_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
    """,
    days=30,
)
IDEMPOTENCY_KEYS = Purge(
    "idempotency_key",
    """
    DELETE FROM idempotency_key WHERE id = ANY(ARRAY(
        SELECT id FROM idempotency_key
        WHERE created_at < statement_timestamp() - %(days)s * interval '1 day'
        ORDER BY created_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
    """,
    days=7,
)
REVOKED_SESSIONS = Purge(
    "revoked_session",
    """
    DELETE FROM revoked_session WHERE id = ANY(ARRAY(
        SELECT id FROM revoked_session
        WHERE expires_at < statement_timestamp() - %(days)s * interval '1 day'
        ORDER BY expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
    """,
    days=0,
)
#: Counted from the decision about a letter, which is recorded once: a waiting letter is kept for ever.
DEAD_LETTERS = Purge(
    "dead_letter",
    """
    WITH old AS MATERIALIZED (
        SELECT letter.id
        FROM dead_letter_action AS action JOIN dead_letter AS letter ON letter.id = action.letter_id
        WHERE action.at < statement_timestamp() - %(days)s * interval '1 day' AND letter.state <> 'waiting'
        ORDER BY action.at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM dead_letter_action WHERE letter_id = ANY(ARRAY(SELECT id FROM old))
    )
    DELETE FROM dead_letter WHERE id = ANY(ARRAY(SELECT id FROM old))
    """,
    days=90,
)
OF_THE_KIT = (OUTBOX, DISCARDED_EVENTS, INBOX, IDEMPOTENCY_KEYS, REVOKED_SESSIONS, DEAD_LETTERS)


def purges() -> list[Purge]:
    """Return the kit's purges and those that settings.PURGES names, such as "users.purges.SESSIONS"."""
    return [*OF_THE_KIT, *(import_string(path) for path in getattr(settings, "PURGES", []))]


def run(stop: threading.Event | None = None) -> list[Purged]:
    """Delete everything that is old, table by table; a purge that fails is reported and the others run all the same.

    Raises:
        PurgeRuns: another process has the lock; nothing was deleted.
        DatabaseError, InterfaceError: the database is away.
    """
    stop = stop or threading.Event()
    with _alone():
        return [_report(one, stop) for one in purges() if not stop.is_set()]


@contextlib.contextmanager
def in_background(*, every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """Purge in a thread with a database connection of its own, at once and then every minute, for the length of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=_repeat, args=(stop, every_seconds), name="purge", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)


def _repeat(stop: threading.Event, every_seconds: float) -> None:
    while not stop.is_set():
        try:
            run(stop)
        except PurgeRuns:
            pass  # the relays of a service share the work: this round is another's
        except (DatabaseError, InterfaceError) as error:
            logger.warning("purge waits", extra={"error": str(error)[:300]})
        except Exception:  # a fault of ours must not end the thread, which nothing would start again
            logger.exception("purge failed")
        connection.close()
        stop.wait(every_seconds)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the advisory lock of this connection's session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise PurgeRuns("Another process is purging this database.")
    try:
        yield
    finally:
        # On a connection that broke there is no lock left to give back.
        with contextlib.suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _report(purge: Purge, stop: threading.Event) -> Purged:
    deleted, error = 0, ""
    try:
        for count in _batches(purge, stop):
            deleted += count
    except DatabaseError as failure:
        if is_database_away(failure):
            raise
        error = f"{type(failure).__name__}: {failure}".strip()[:300]
        metrics.PURGE_ERRORS.labels(purge.table).inc()
        logger.exception("purge of a table failed", extra={"table": purge.table})
    if deleted:
        metrics.ROWS_PURGED.labels(purge.table).inc(deleted)
        logger.info("purged", extra={"table": purge.table, "rows": deleted})
    return Purged(purge.table, deleted, error)


def _batches(purge: Purge, stop: threading.Event) -> Iterator[int]:
    """Yield how many rows each batch deleted."""
    parameters = {"days": purge.days, "batch": BATCH}
    count = BATCH
    while count >= BATCH and not stop.is_set():
        started = time.monotonic()
        count = _delete(purge.statement, parameters)
        yield count
        if count >= BATCH:
            stop.wait(time.monotonic() - started)


def _delete(statement: str, parameters: dict[str, Any]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MILLISECONDS}")
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
