"""What a service's database needs before its other processes can work; repeatable at any time.

With ADMIN_DATABASE_URL (a superuser of the same server) it also makes the service's role and
database, and sets the role's password to that of DATABASE_URL: a changed password takes effect with
the next start.
"""

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from psycopg import sql

from servicekit import env
from servicekit.conf import kit_settings
from servicekit.database import direct_connection, is_database_away
from servicekit.operations.web_size import check_connections

logger = logging.getLogger(__name__)

LOCK = 0x50_52_50  # any number: the lock is per database
PAUSE_SECONDS = 0.5
LOG_EVERY_SECONDS = 5.0
#: Keeps statements with a password's verifier out of the server's log, however slow or wrong.
UNLOGGED = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
}


class DatabaseStaysAway(RuntimeError):
    """The database did not answer in time."""


def prepare(*, wait_seconds: float) -> None:
    """Wait for the database, make role and database if asked, migrate, run
    the commands that the service asks for.

    Raises:
        DatabaseStaysAway: no connection within `wait_seconds`.
        TooManyConnections: the service's web threads may take more than the server allows.
    """
    deadline = time.monotonic() + wait_seconds
    admin = env.secret("ADMIN_DATABASE_URL", "")
    if admin:
        with _connected(deadline, admin) as connection:
            make_role_and_database(connection, settings.DATABASES["default"])
    with _connected(deadline) as connection:
        check_connections(connection)
        _wait_for_turn(connection)
        call_command("migrate", interactive=False, verbosity=1)
        for command in kit_settings.prepare:
            call_command(command)


def _wait_for_turn(connection: psycopg.Connection[Any]) -> None:
    """Take the lock of this database's preparation, which two hosts may start at the same time.

    It polls instead of waiting in the statement: lock_timeout counts for advisory locks too, and a
    waiting statement holds a snapshot, for which a CREATE INDEX CONCURRENTLY of the first host
    would wait in turn.
    """
    logged_at = -math.inf
    while not _exists(connection, "SELECT 1 WHERE pg_try_advisory_lock(%s)", LOCK):
        if time.monotonic() - logged_at >= LOG_EVERY_SECONDS:
            logged_at = time.monotonic()
            logger.info("waiting for another preparation of this database")
        time.sleep(PAUSE_SECONDS)


def make_role_and_database(connection: psycopg.Connection[Any], wanted: dict[str, Any]) -> None:
    """Make them unless they exist, set the password, and close the database to other roles.

    `wanted` is an item of Django's DATABASES.
    """
    role, database = sql.Identifier(wanted["USER"]), sql.Identifier(wanted["NAME"])
    if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", wanted["USER"]):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        logger.info("role made", extra={"role": wanted["USER"]})
    _set_password(connection, wanted["USER"], wanted["PASSWORD"])
    if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", wanted["NAME"]):
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
        logger.info("database made", extra={"database": wanted["NAME"]})
    # By default every role of the server may connect to a new database.
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def _set_password(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """Send a SCRAM verifier instead of the password, and keep even that out of the server's log."""
    encrypt = connection.pgconn.encrypt_password
    verifier = encrypt(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}")
    with connection.transaction():
        for name, value in UNLOGGED.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier)))


def _exists(connection: psycopg.Connection[Any], query: Any, *parameters: Any) -> bool:
    return connection.execute(query, parameters).fetchone() is not None


@contextlib.contextmanager
def _connected(deadline: float, url: str = "") -> Iterator[psycopg.Connection[Any]]:
    """Yield an autocommit connection to `url`, or to the service's own database."""
    with _wait_for_connection(deadline, url) as connection:
        yield connection


def _wait_for_connection(deadline: float, url: str) -> psycopg.Connection[Any]:
    logged: Sequence[str] = ()
    while True:
        try:
            if url:
                return psycopg.connect(url, autocommit=True, connect_timeout=3)
            return direct_connection()
        except psycopg.OperationalError as error:
            if not is_database_away(error) or time.monotonic() > deadline:
                raise DatabaseStaysAway(f"the database does not answer: {error}") from error
            if logged != error.args:  # each reason once, not twice a second
                logged = error.args
                reason = str(error).strip()
                logger.info("waiting for the database", extra={"reason": reason})
            time.sleep(PAUSE_SECONDS)
