"""The connection that each thread keeps: looked at before use, without asking the server."""

import os
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection


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
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    begin_request()

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def refuse(*_query: Any) -> None:
    raise AssertionError("asked the server")
