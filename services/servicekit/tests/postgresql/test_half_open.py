"""A database host that vanishes without a word: no FIN, no RST, nothing is acknowledged."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from servicekit.database import direct_connection
from servicekit.operations import web_size
from servicekit.testing.faults import StallingProxy

#: tcp_user_timeout, or idle + interval x count, and what a loaded machine adds.
LONGEST_SECONDS = 40


def fails_in_time(work: Callable[[], Any], failures: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_queries_on_a_vanished_server_fail_and_a_new_connection_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One waits for an answer when the host goes, the other sends afterwards."""
    settings = connection.settings_dict
    failures: list[BaseException] = []

    with StallingProxy((settings["HOST"], int(settings["PORT"]))) as proxy:
        monkeypatch.setitem(settings, "PORT", str(proxy.port))
        monkeypatch.setitem(settings, "HOST", "127.0.0.1")
        waiting, sending = direct_connection(), direct_connection()
        backend = waiting.info.backend_pid
        threads = [fails_in_time(lambda: waiting.execute("SELECT pg_sleep(3600)"), failures)]
        _wait_until_asleep(backend)
        proxy.vanish()
        threads.append(fails_in_time(lambda: sending.execute("SELECT 1"), failures))
        deadline = time.monotonic() + LONGEST_SECONDS
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))

        assert [type(failure) for failure in failures] == [psycopg.OperationalError] * 2
        proxy.flow()
        with direct_connection() as fresh:
            assert fresh.execute("SELECT 1").fetchone() == (1,)
            # Its client is gone, which a statement that only sleeps does not notice.
            fresh.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def _wait_until_asleep(backend: int) -> None:
    query = "SELECT pg_sleep(0.02) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as admin:
        deadline = time.monotonic() + 20
        while not admin.execute(query, [backend]).fetchone():
            assert time.monotonic() < deadline


def _statement_timeout(prelude: str) -> str:
    code = f"{prelude}\nfrom servicekit import env\nprint(env.database()['OPTIONS']['options'])"
    variables = {
        name: value for name, value in os.environ.items() if name != "STATEMENT_TIMEOUT_SECONDS"
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_statements_of_web_processes_alone_are_limited() -> None:
    assert "statement_timeout=10000" in _statement_timeout("from servicekit import gunicorn_conf")
    assert "statement_timeout" not in _statement_timeout("")


def test_web_that_could_take_every_connection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PROCESSES", "8")
    monkeypatch.setenv("WEB_THREADS", "10")
    with psycopg.connect(os.environ["TEST_DATABASE_URL"]) as admin:
        web_size.check_connections(admin)

        monkeypatch.setenv("WEB_SCALE", "3")
        with pytest.raises(
            web_size.TooManyConnections, match=r"WEB_PROCESSES \(8\) x WEB_THREADS \(10\)"
        ):
            web_size.check_connections(admin)
