"""What a database error means: the database is away, the same work may succeed, or it is wrong.

SQLSTATE codes are those of the PostgreSQL manual, appendix A.
"""

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection

#: Rolled back by the database, and not the statement's fault: serialisation failure, deadlock.
DEADLOCK = {"40001", "40P01"}
LOCK_TIMEOUT = "55P03"
QUERY_CANCELLED = "57014"
#: out_of_memory, crash_shutdown: the statement itself may be the reason.
CRASHED = {"53200", "57P02"}
#: The attribute that servicekit.postgresql sets on an error with which the connection was lost.
LOST = "connection_was_lost"
#: read_only_sql_transaction: the server has become a standby.
READ_ONLY = "25006"
#: The session is not what the driver believes: read-only, or without its prepared statements.
STALE = {READ_ONLY, "26000", "42P05"}
#: The server ended the session, and said so before.
ENDED = {"25P03", "57P01", "57P05"}
OUTAGES = OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError
FEATURE_NOT_SUPPORTED, INTERNAL_ERROR = "0A000", "XX000"


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE behind a Django or psycopg error, or None."""
    cause = _cause(error)
    return cause.sqlstate if cause else None


def violated_constraint(error: BaseException) -> str:
    """Return the name of the constraint that an IntegrityError tells of; empty without one."""
    cause = _cause(error)
    return (cause.diag.constraint_name or "") if cause else ""


def _cause(error: BaseException | None) -> psycopg.Error | None:
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error


def needs_new_connection(error: BaseException) -> bool:
    """Whether the session is at fault: the same transaction may succeed on a new connection.

    After a change of a column's type the server refuses the plans that a session has prepared. A
    session may also know types that are gone, or belong to a server that has become a standby. A
    connection that merely broke does not count: the statement may be the reason
    (`may_be_caused_by_statement`).
    """
    cause = _cause(error)
    if cause is None:
        return False
    if cause.sqlstate == FEATURE_NOT_SUPPORTED:
        # "cached plan must not change result type", in any language
        return cause.diag.source_function == "RevalidateCachedQuery"
    if cause.sqlstate == INTERNAL_ERROR:
        return (cause.diag.message_primary or "").startswith("cache lookup failed")
    return cause.sqlstate in STALE | ENDED


def may_have_been_executed(error: BaseException) -> bool:
    """Whether a statement with an error that `needs_new_connection` may have had its effect."""
    return sqlstate(error) in ENDED


def is_deadlock(error: BaseException) -> bool:
    """Whether the same transaction may simply run again at once."""
    return sqlstate(error) in DEADLOCK


def is_lock_timeout(error: BaseException) -> bool:
    """Whether another transaction held a row for longer than lock_timeout: try later."""
    return sqlstate(error) == LOCK_TIMEOUT


def is_timed_out(error: BaseException) -> bool:
    """Whether the statement ran for longer than statement_timeout, or was cancelled."""
    return sqlstate(error) == QUERY_CANCELLED


def is_try_again(error: BaseException) -> bool:
    """Whether the transaction failed only because others work on the same rows."""
    return is_deadlock(error) or is_lock_timeout(error)


def is_database_away(error: BaseException) -> bool:
    """Whether the database cannot be reached or refuses work: wait, no statement is to blame.

    An error without SQLSTATE was raised by the driver. It means an outage only on a connection that
    is gone; on a live connection the statement itself is wrong (too many parameters, for example)
    and would fail for ever.
    """
    state = sqlstate(error)
    if state == READ_ONLY:  # a standby; Django raises another class for it than for other outages
        return True
    if not isinstance(error, OUTAGES):
        return False
    if state is None:
        # The mark comes first: at the end of a transaction Django connects again, so by now the
        # connection may be new.
        return getattr(error, LOST, False) or not _is_connected()
    # 08: connection, 53: resources (too many connections, disk full), 57P: shutdown.
    return state[:2] in {"08", "53"} or state[:3] == "57P"


def may_be_caused_by_statement(error: BaseException) -> bool:
    """Whether the statement itself may have ended the connection.

    It may have crashed the server's process or used up its memory; every other outage has a
    SQLSTATE of its own. Repeating such a statement for ever would stop the queue behind it.
    """
    return sqlstate(error) in {None, *CRASHED}


def accepts_connections() -> bool:
    """Whether the database answers on a new connection, which replaces Django's."""
    connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return False
    return True


def _is_connected() -> bool:
    raw = connection.connection
    return raw is not None and not raw.closed


def direct_connection() -> psycopg.Connection[tuple[bool]]:
    """Return an autocommit connection beside Django's own, for advisory locks and the like."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    return psycopg.connect(**parameters, autocommit=True)
