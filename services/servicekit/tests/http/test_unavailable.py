"""A database that is away, slow or broken is a 503 to ask again; a value it cannot store a 400."""

import logging
import os
import socket
import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction
from uuid_utils.compat import uuid7

from servicekit.models import OutboxEvent
from servicekit.testing.client import Caller, problem
from tests.http.views_that_fail import BOTH


@BOTH
@pytest.mark.usefixtures("no_database")
def test_database_away_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    fail_with(OutboxEvent.objects.count)

    answer = nobody.get(path)

    body = problem(answer, 503, "service_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert not [
        word for word in ("127.0.0.1", "port", "postgres", "pool") if word in body["detail"]
    ]


@pytest.mark.django_db(transaction=True)
@BOTH
def test_lost_database_connection_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    def lose_it() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    fail_with(lose_it)

    answer = nobody.get(path)
    connection.close()  # as Django does after each request, but for the test client's

    problem(answer, 503, "service_unavailable")
    assert OutboxEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@BOTH
def test_statement_that_takes_too_long_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    def fail() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '50ms'")
            cursor.execute("SELECT pg_sleep(60)")

    fail_with(fail)

    answer = nobody.get(path)

    problem(answer, 503)
    assert int(answer["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
@BOTH
def test_locked_row_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str
) -> None:
    locked, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE outbox")
            locked.set()
            assert finish.wait(20)
        connections.close_all()

    def want() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            cursor.execute("SELECT count(*) FROM outbox")

    fail_with(want)
    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(10)
        answer = nobody.get(path)
    finally:
        finish.set()
        holder.join(10)

    problem(answer, 503, "service_unavailable")


@pytest.mark.django_db(transaction=True)
@BOTH
@pytest.mark.parametrize("value", ["a\0b", "x" * 201])
def test_value_that_cannot_be_stored_is_invalid_and_logged(
    nobody: Caller,
    fail_with: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    path: str,
    value: str,
) -> None:
    columns = {"subject": value, "sequence": 1, "data": b"", "created_at": "2026-01-01T00:00Z"}
    fail_with(
        lambda: (
            list(OutboxEvent.objects.filter(subject=value))
            or OutboxEvent.objects.update_or_create(id=uuid7(), defaults=columns)
        )
    )

    problem(nobody.get(path), 400, "invalid")

    assert [
        record.levelno
        for record in caplog.records
        if record.name == "servicekit.http.exception_handler"
    ] == [logging.ERROR]
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
@BOTH
@pytest.mark.parametrize("statement", ["SELECT 1", "COMMIT"])
def test_connection_that_breaks_without_a_word_is_unavailable(
    nobody: Caller, fail_with: Callable[..., None], path: str, statement: str
) -> None:
    """As when the server's farewell and the end of the connection arrive together."""

    def lose_it() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            if statement != "COMMIT":
                cursor.execute(statement)

    fail_with(lose_it)

    answer = nobody.get(path)
    connection.close()  # as Django does after each request, but for the test client's

    problem(answer, 503, "service_unavailable")
