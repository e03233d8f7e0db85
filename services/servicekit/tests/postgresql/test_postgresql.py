"""The connection that each thread keeps: looked at before use, without asking the server."""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import InternalError, NotSupportedError, OperationalError, connection, transaction

from servicekit.database import is_database_away


@pytest.fixture
def backend(transactional_db: None) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def begin_request() -> None:
    connection.close_if_unusable_or_obsolete()


def end_backend(pid: int) -> None:
    """End the server's side, and wait until its farewell has arrived here."""
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_living_connection_is_kept_and_the_server_is_not_asked(backend: int) -> None:
    begin_request()

    with connection.execute_wrapper(refuse):
        assert connection.is_usable()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == (backend,)


def test_ended_connection_is_replaced_before_a_request_uses_it(backend: int) -> None:
    end_backend(backend)

    begin_request()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] != backend


def test_connection_that_ends_in_a_request_is_replaced_in_the_next(backend: int) -> None:
    begin_request()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    end_backend(backend)
    with pytest.raises(OperationalError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    begin_request()

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def refuse(*_query: Any) -> None:
    raise AssertionError("asked the server")


@pytest.fixture
def table(transactional_db: None) -> Iterator[None]:
    """A table that this session has prepared plans for; `change_type` makes them useless."""
    execute("DROP TABLE IF EXISTS shelf")
    execute("CREATE TABLE shelf (id int PRIMARY KEY, code int)")
    try:
        yield
    finally:
        connection.close()
        execute("DROP TABLE shelf")


def execute(statement: str, parameters: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def warm(statement: str, *parameters: list[Any]) -> None:
    for values in parameters:
        execute(statement, values)


def change_type() -> None:
    """In a session of its own, as a migration is."""
    with psycopg.connect(
        os.environ["TEST_DATABASE_URL"], dbname=connection.settings_dict["NAME"]
    ) as other:
        other.execute("ALTER TABLE shelf ALTER COLUMN code TYPE text")


def backend_of() -> int:
    return int(execute("SELECT pg_backend_pid()")[0][0])


@pytest.mark.usefixtures("table")
def test_prepared_read_goes_on_after_a_column_changed_its_type() -> None:
    execute("INSERT INTO shelf VALUES (1, 7)")
    warm("SELECT code FROM shelf WHERE id = %s", *[[1]] * 5)
    change_type()

    assert execute("SELECT code FROM shelf WHERE id = %s", [1]) == [("7",)]


@pytest.mark.usefixtures("table")
def test_prepared_write_outside_a_transaction_happens_once() -> None:
    statement = "INSERT INTO shelf VALUES (%s, 7) RETURNING code"
    warm(statement, *[[n] for n in range(5)])
    change_type()

    assert execute(statement, [5]) == [("7",)]
    assert execute("SELECT count(*) FROM shelf") == [(6,)]


@pytest.mark.usefixtures("table")
def test_session_at_fault_in_a_transaction_is_not_used_for_the_next_piece_of_work() -> None:
    statement = "SELECT code FROM shelf WHERE id = %s"
    warm(statement, *[[1]] * 5)
    before = backend_of()
    change_type()
    with pytest.raises(NotSupportedError), transaction.atomic():
        execute(statement, [1])

    begin_request()  # as Celery does after a job, too

    with transaction.atomic():
        assert execute(statement, [1]) == []
    assert backend_of() != before


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("spoil", "statement"),
    [("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", "SELECT 1 WHERE %s"),
    ("SET default_transaction_read_only = on", "CREATE TEMPORARY TABLE IF NOT EXISTS x ()"),
     ("SET default_transaction_read_only = on", "UPDATE outbox SET sequence = 1")],
)  # fmt: skip
def test_session_that_is_of_no_use_is_replaced(spoil: str, statement: str) -> None:
    parameters = [True] if "%s" in statement else None
    warm(statement, *[parameters or []] * 5)
    execute(spoil)

    execute(statement, parameters)


def test_write_that_the_server_ended_with_its_session_is_not_sent_again(backend: int) -> None:
    end_backend(backend)

    with pytest.raises(OperationalError):
        execute("UPDATE outbox SET sequence = 1")
    begin_request()


def test_read_whose_session_the_server_ended_is_answered(backend: int) -> None:
    end_backend(backend)

    assert backend_of() != backend


def test_server_that_only_reads_is_away(backend: int) -> None:
    with transaction.atomic():
        execute("SET TRANSACTION READ ONLY")
        with pytest.raises(InternalError) as refusal:
            execute("UPDATE outbox SET sequence = 1")
        transaction.set_rollback(True)

    assert is_database_away(refusal.value)
