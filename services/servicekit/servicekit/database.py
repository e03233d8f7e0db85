"""What a database error means to somebody who works through a queue: away, try again, or wrong."""

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection

#: Rolled back by the database through no fault of the statement: serialisation failure, deadlock.
DEADLOCK = {"40001", "40P01"}
LOCK_TIMEOUT = "55P03"
QUERY_CANCELLED = "57014"
#: out_of_memory, crash_shutdown: the message at hand may be the reason.
CRASHED = {"53200", "57P02"}
#: The mark of an error with which its connection was lost (servicekit.postgresql).
LOST = "connection_was_lost"
#: The server has become a standby.
READ_ONLY = "25006"
#: Prepared statements are not what the driver believes.
STALE = {READ_ONLY, "26000", "42P05"}
#: The server ended the session, and said so.
ENDED = {"25P03", "57P01", "57P05"}
FEATURE_NOT_SUPPORTED, INTERNAL_ERROR = "0A000", "XX000"


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE behind a Django or psycopg error, if there is one (PostgreSQL manual, appendix A)."""
    cause = _cause(error)
    return cause.sqlstate if cause else None


def _cause(error: BaseException | None) -> psycopg.Error | None:
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error


def needs_new_connection(error: BaseException) -> bool:
    """Whether the session is at fault, not the statement: the same transaction may succeed on a new connection.

    After a change of a column's type the server refuses the plans that a session has prepared; a session also outlives what
    it knows of other types, and of a server that has become a standby. Not so when the connection merely broke: then the statement may be
    the reason (`may_be_caused_by_statement`).
    """
    cause = _cause(error)
    if cause is None:
        return False
    if cause.sqlstate == FEATURE_NOT_SUPPORTED:  # "cached plan must not change result type", in any language
        return cause.diag.source_function == "RevalidateCachedQuery"
    if cause.sqlstate == INTERNAL_ERROR:
        return (cause.diag.message_primary or "").startswith("cache lookup failed")
    return cause.sqlstate in STALE | ENDED


def may_have_been_executed(error: BaseException) -> bool:
    """Whether the statement that ended with `needs_new_connection` may have had its effect."""
    return sqlstate(error) in ENDED


def is_deadlock(error: BaseException) -> bool:
    """Whether the same transaction may simply run again at once."""
    return sqlstate(error) in DEADLOCK


def is_locked(error: BaseException) -> bool:
    """Whether somebody held a row for longer than lock_timeout: try later."""
    return sqlstate(error) == LOCK_TIMEOUT


def is_timed_out(error: BaseException) -> bool:
    """Whether the statement ran for longer than statement_timeout, or somebody cancelled it."""
    return sqlstate(error) == QUERY_CANCELLED


def is_try_again(error: BaseException) -> bool:
    """Whether the transaction failed only because of others at work on the same rows."""
    return is_deadlock(error) or is_locked(error)


def is_database_away(error: BaseException) -> bool:
    """Whether the database cannot be reached or refuses work: wait, since no statement is to blame.

    An error without SQLSTATE was raised by the driver. Only on a connection that is gone does it mean an outage; on a live
    connection the statement itself is wrong (too many parameters, say) and would fail for ever.
    """
    if sqlstate(error) == READ_ONLY:  # a standby: of another class in Django than other outages
        return True
    if not isinstance(
        error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError
    ):
        return False
    state = sqlstate(error)
    if state is None:
        # Django connects anew at the end of a transaction; the connection may be another by now.
        return getattr(error, LOST, False) or not _is_connected()
    # 08: connection, 53: resources (too many connections, disk full), 57P: shutdown.
    return state[:2] in {"08", "53"} or state[:3] == "57P"


def may_be_caused_by_statement(error: BaseException) -> bool:
    """Whether the statement itself may have ended the connection: a crash of the server process, or memory that ran out.

    The server says of every other outage that it is one. Repeating such a statement for ever would stop the queue behind it.
    """
    return sqlstate(error) in {None, *CRASHED}


def answers() -> bool:
    """Whether the database answers on a new connection."""
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
    """Return an autocommit connection beside Django's own, for session-wide things such as advisory locks."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    return psycopg.connect(**parameters, autocommit=True)
