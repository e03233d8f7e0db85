"""Purges: delete the rows that have served their purpose, in every table that grows.

A purge of a table goes on until a batch is not full and rests as long as each batch took: it keeps
up with any rate of writing that the database itself keeps up with, and takes half of one
connection's time at most (docs/adr/0050-purges-run-until-done.md). The job servicekit.purge runs
them all, for a limited time every few seconds (docs/adr/0078-housekeeping-is-celerys.md).
"""

import contextlib
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils.module_loading import import_string

from servicekit.conf import kit_settings
from servicekit.database import is_database_away
from servicekit.operations import metrics

logger = logging.getLogger(__name__)

LOCK = 0x50_55_52  # any number: the lock is per database, and each service has its own
BATCH = 5000
#: A purge that cannot have a table at once leaves it for its next round.
LOCK_TIMEOUT_MILLISECONDS = 1000


class PurgeRuns(RuntimeError):
    """Another process is purging this database."""


@dataclass(frozen=True, slots=True)
class Purge:
    """How the old rows of one table are found.

    `table` is for people, and names one purge of a table that has two. `statement` deletes at most
    `%(batch)s` of those that are older than `%(days)s` days, oldest first. It must compare a column
    with an index to statement_timestamp(): no index is used for clock_timestamp(), which changes
    from row to row.
    """

    table: str
    statement: str
    days: int


@dataclass(slots=True)
class Purged:
    """What came of one purge: how many rows it deleted, and why it failed, if it did."""

    table: str
    deleted: int = 0
    error: str = ""


def delete_older(table: str, *, age: str, key: str = "id", also: str = "true") -> str:
    """Return the statement of a purge whose rows are of one table, and nothing hangs on them.

    `age` is the column that is compared with %(days)s, `key` the primary key, `also` a condition
    that the rows must meet as well. All of them are our own words, never a caller's.
    """
    return f"""
    DELETE FROM {table} WHERE {key} = ANY(ARRAY(
        SELECT {key} FROM {table}
        WHERE {age} < statement_timestamp() - %(days)s * interval '1 day' AND {also}
        ORDER BY {age} LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
    """  # noqa: S608


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
    _DELETE_EVENTS.format(age="discarded_at").replace(
        "WHERE", "WHERE parked_at IS NOT NULL AND", 1
    ),
    days=90,
)
#: Money and stock have unique keys of their own in their ledgers, for ever: a repeat after 30 days
#: still has no effect.
INBOX = Purge("inbox", delete_older("inbox", age="handled_at"), days=30)
IDEMPOTENCY_KEYS = Purge(
    "idempotency_key", delete_older("idempotency_key", age="created_at"), days=7
)
REVOKED_SESSIONS = Purge(
    "revoked_session", delete_older("revoked_session", age="expires_at"), days=0
)
#: Counted from the decision about a letter, which is recorded once: a waiting letter is kept for
#: ever.
DEAD_LETTERS = Purge(
    "dead_letter",
    """
    WITH old AS MATERIALIZED (
        SELECT letter.id
        FROM dead_letter_action AS action JOIN dead_letter AS letter ON letter.id = action.letter_id
        WHERE action.at < statement_timestamp() - %(days)s * interval '1 day'
            AND letter.state <> 'waiting'
        ORDER BY action.at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM dead_letter_action WHERE letter_id = ANY(ARRAY(SELECT id FROM old))
    )
    DELETE FROM dead_letter WHERE id = ANY(ARRAY(SELECT id FROM old))
    """,
    days=90,
)
#: As long as an event that could cause the mail again is known to be handled (INBOX).
MAILS = Purge("mail", delete_older("mail", age="claimed_at"), days=30)
#: What could not be sent in time holds an address and maybe a secret.
UNSENT_MAILS = Purge(
    "mail (unsent)", delete_older("mail", age="expires_at", also="claimed_at IS NULL"), days=0
)
OF_THE_KIT = (
    OUTBOX,
    DISCARDED_EVENTS,
    INBOX,
    IDEMPOTENCY_KEYS,
    REVOKED_SESSIONS,
    DEAD_LETTERS,
    MAILS,
    UNSENT_MAILS,
)


def purges() -> list[Purge]:
    """Return the kit's purges and the service's own."""
    of_the_service: list[Purge] = import_string(kit_settings.purges) if kit_settings.purges else []
    return [*OF_THE_KIT, *of_the_service]


def run(*, seconds: float = math.inf) -> list[Purged]:
    """Delete everything that is old, a batch of each table by turns, or as much as can be deleted
    in so many seconds. A table whose purge fails is reported, and the others go on.

    Raises:
        PurgeRuns: another process has the lock; nothing was deleted.
        DatabaseError, InterfaceError: the database is away.
    """
    ends_at = time.monotonic() + seconds
    found = {purge: Purged(purge.table) for purge in purges()}
    with _alone():
        try:
            # By turns: a table that grows as fast as it is purged must not keep the others waiting.
            # All of them in each round: rows may be kept by those of a table that is not done yet.
            while _purge_round(found) and time.monotonic() < ends_at:
                pass
        finally:
            _report(found.values())
    return list(found.values())


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


def _purge_round(found: Mapping[Purge, Purged]) -> bool:
    """Delete a batch of each table that has not failed. Return whether there may be more."""
    unfinished = [_purge_batch(purge, found[purge]) for purge in found if not found[purge].error]
    return any(unfinished)


def _purge_batch(purge: Purge, purged: Purged) -> bool:
    """Delete one batch, count it, and rest. Return whether there may be more."""
    started = time.monotonic()
    try:
        count = _delete(purge.statement, {"days": purge.days, "batch": BATCH})
    except DatabaseError as failure:
        if is_database_away(failure):
            raise
        purged.error = f"{type(failure).__name__}: {failure}".strip()[:300]
        logger.exception("purge of a table failed", extra={"table": purge.table})
        return False
    purged.deleted += count
    if count < BATCH:
        return False
    time.sleep(time.monotonic() - started)
    return True


def _delete(statement: str, parameters: dict[str, Any]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MILLISECONDS}")
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


def _report(found: Iterable[Purged]) -> None:
    for purged in found:
        if purged.error:
            metrics.PURGE_ERRORS.labels(purged.table).inc()
        if purged.deleted:
            metrics.ROWS_PURGED.labels(purged.table).inc(purged.deleted)
            logger.info("purged", extra={"table": purged.table, "rows": purged.deleted})
