"""A database is made ready on a real server, any number of times."""

import os
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from servicekit.database import direct_connection
from servicekit.operations import bootstrap

ADMIN = os.environ.get("TEST_DATABASE_URL", "")


def wanted(name: str, password: str) -> dict[str, Any]:
    return {"USER": name, "PASSWORD": password, "NAME": name}


def log_in(user: str, password: str, database: str) -> None:
    parts = urlsplit(ADMIN)
    address = f"{parts.hostname}:{parts.port}"
    with psycopg.connect(
        host=parts.hostname, port=parts.port, user=user, password=password, dbname=database
    ):
        assert address


@pytest.fixture
def admin() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(ADMIN, autocommit=True) as connection:
        yield connection


@pytest.fixture
def name(admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A name with a quote in it, whose role and database go afterwards."""
    made = f'te"st-{uuid.uuid4().hex[:8]}'
    yield made
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(made)))
    admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(made)))


def test_role_and_database_are_made_once_and_the_password_follows(admin, name):
    bootstrap.make_role_and_database(admin, wanted(name, "it's first"))
    log_in(name, "it's first", name)
    bootstrap.make_role_and_database(admin, wanted(name, "second"))
    log_in(name, "second", name)

    with pytest.raises(psycopg.OperationalError, match="password"):
        log_in(name, "it's first", name)
    rights = admin.execute(
        "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s", [name]
    )
    assert rights.fetchone() == (False, False, False)


def test_password_never_reaches_the_server_or_its_log(admin, name):
    """A slow or failing statement is logged as it was sent; the session itself is asked for what
    the log gets.
    """
    told: list[str] = []
    admin.add_notice_handler(
        lambda notice: told.append(f"{notice.message_primary} {notice.message_detail}")
    )
    admin.execute("SET client_min_messages = log")
    admin.execute("SET log_min_duration_statement = 0")

    bootstrap.make_role_and_database(admin, wanted(name, "hunter2 hunter2"))

    assert any("CREATE ROLE" in line for line in told)
    assert not [line for line in told if "hunter2" in line or "SCRAM" in line]
    stored = admin.execute(
        "SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]
    ).fetchone()
    assert stored[0].startswith("SCRAM-SHA-256$")
    log_in(name, "hunter2 hunter2", name)


def test_database_is_shut_to_other_roles(admin, name):
    other = f"other-{uuid.uuid4().hex[:8]}"
    bootstrap.make_role_and_database(admin, wanted(name, "x"))
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'y'").format(sql.Identifier(other)))
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            log_in(other, "y", name)
    finally:
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(other)))


def test_database_that_stays_away_is_given_up_with_a_reason(monkeypatch):
    parts = urlsplit(ADMIN)
    away = urlunsplit(parts._replace(netloc=f"{parts.username}:x@127.0.0.1:1"))
    monkeypatch.setenv("ADMIN_DATABASE_URL", away)

    with pytest.raises(bootstrap.DatabaseStaysAway, match="does not answer"):
        bootstrap.prepare(wait_seconds=0.2)


@pytest.mark.django_db(transaction=True)
def test_prepare_waits_for_another_that_is_at_work():
    """The advisory lock is held elsewhere: nothing is migrated until it is free."""
    done = threading.Event()

    def prepare() -> None:
        bootstrap.prepare(wait_seconds=5)
        connection.close()
        done.set()

    with direct_connection() as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [bootstrap.LOCK])
        thread = threading.Thread(target=prepare)
        thread.start()
        assert not done.wait(0.5)
        holder.execute("SELECT pg_advisory_unlock(%s)", [bootstrap.LOCK])
        assert done.wait(20)
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_prepare_waits_longer_than_any_lock_timeout(caplog, monkeypatch):
    """A first preparation that migrates for minutes: the second says that it waits, and goes on
    afterwards.
    """
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", "-c lock_timeout=100")
    raised: list[BaseException] = []

    def prepare() -> None:
        try:
            bootstrap.prepare(wait_seconds=5)
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    with (
        direct_connection() as holder,
        caplog.at_level("INFO", logger="servicekit.operations.bootstrap"),
    ):
        holder.execute("SELECT pg_advisory_lock(%s)", [bootstrap.LOCK])
        thread = threading.Thread(target=prepare)
        thread.start()
        thread.join(1)
        assert thread.is_alive()
        holder.execute("SELECT pg_advisory_unlock(%s)", [bootstrap.LOCK])
        thread.join(20)
    assert raised == []
    assert "waiting for another preparation of this database" in caplog.text
