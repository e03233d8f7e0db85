"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], *, timeout_seconds: float = 20.0, every_seconds: float = 0.02
) -> T:
    """Return the condition's value once it is true.

    Raises:
        AssertionError: it did not become true in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not true within {timeout_seconds} s, last: {value!r}"
        time.sleep(every_seconds)


def somebody_waits_for_a_lock() -> bool:
    """Whether another connection to this test's database waits for a row or a table."""
    with connection.cursor() as cursor:
        # Otherwise the view would stay, within a transaction, as it was at the first look.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
