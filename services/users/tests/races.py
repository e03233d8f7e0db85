"""What happens between threads."""

from django.db import connection


def somebody_waits_for_us() -> bool:
    """Whether another connection waits for a lock that this thread's transaction holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
            " AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])
