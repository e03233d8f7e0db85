"""What must be done to a service's database before its other processes can work; all of it may run again at any time.

With ADMIN_DATABASE_URL (a superuser of the same server) the service's role and database are made too, and the role's password is set
to what DATABASE_URL says, so that a changed password takes effect with the next start.
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
from servicekit.database import direct_connection, is_database_away
from servicekit.operations.web_size import check_connections

logger = logging.getLogger(__name__)

LOCK = 0x50_52_50  # any number: the lock is per database
PAUSE_SECONDS = 0.5
WAIT_TOLD_SECONDS = 5.0
#: Statements with a password's verifier leave no trace in the server's log, however slow or wrong they are.
UNLOGGED = {"log_statement": "none", "log_min_duration_statement": "-1", "log_min_error_statement": "panic"}


class DatabaseStaysAway(RuntimeError):
    """The database did not answer in time."""


def prepare(*, wait_seconds: float) -> None:
    """Wait for the database, make role and database where asked, migrate, then run the commands of settings.PREPARE.

    Raises:
        DatabaseStaysAway: no connection within `wait_seconds`.
        TooManyConnections: the service's web threads may take more than the server has.
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
        for command in getattr(settings, "PREPARE", []):
            call_command(command)


def _wait_for_turn(connection: psycopg.Connection[Any]) -> None:
    """Take the lock of preparations. When two hosts start the same release, the second waits and finds nothing to do.

    It asks again and again instead of waiting in the statement: lock_timeout counts for advisory locks too, and a statement that waits
    holds a snapshot, for which the first one's CREATE INDEX CONCURRENTLY would wait in turn.
    """
    told_at = -math.inf
    while not _exists(connection, "SELECT 1 WHERE pg_try_advisory_lock(%s)", LOCK):
        if time.monotonic() - told_at >= WAIT_TOLD_SECONDS:
            told_at = time.monotonic()
            logger.info("waiting for another preparation of this database")
        time.sleep(PAUSE_SECONDS)


def make_role_and_database(connection: psycopg.Connection[Any], wanted: dict[str, Any]) -> None:
    """Make them unless they are there, set the password, and shut the database to everybody else."""
    role, password, database = wanted["USER"], wanted["PASSWORD"], wanted["NAME"]
    if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        logger.info("role made", extra={"role": role})
    _set_password(connection, role, password)
    if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", database):
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(role))
        )
        logger.info("database made", extra={"database": database})
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))


def _set_password(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """Send a SCRAM verifier instead of the password, and keep even that out of the server's log."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    with connection.transaction():
        for name, value in UNLOGGED.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        connection.execute(
            sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(verifier)
            )
        )


def _exists(connection: psycopg.Connection[Any], query: Any, *parameters: Any) -> bool:
    return connection.execute(query, parameters).fetchone() is not None


@contextlib.contextmanager
def _connected(deadline: float, url: str = "") -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection, waited for: to `url`, or to the service's own database."""
    told: Sequence[str] = ()
    while True:
        try:
            found = psycopg.connect(url, autocommit=True, connect_timeout=3) if url else direct_connection()
            break
        except psycopg.OperationalError as error:
            if not is_database_away(error) or time.monotonic() > deadline:
                raise DatabaseStaysAway(f"the database does not answer: {error}") from error
            if told != error.args:
                told = error.args
                logger.info("waiting for the database", extra={"reason": str(error).strip()})
            time.sleep(PAUSE_SECONDS)
    with found:
        yield found
