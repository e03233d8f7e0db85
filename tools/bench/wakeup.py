"""What wakes the relay: NOTIFY at commit, or a short poll?

Measures both; docs/adr/0002-relay-polls.md records the result.

    . <(python3 deploy/souk test-env) && .venv/bin/python tools/bench/wakeup.py

Three questions: what a NOTIFY costs the writers, what a poll costs when nothing happens, how long a
committed row waits.
"""

import contextlib
import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

WRITERS = 16
SECONDS = 4.0
UNSENT = "SELECT position, written_at FROM outbox WHERE sent_at IS NULL ORDER BY position LIMIT 500"
MARK = "UPDATE outbox SET sent_at = clock_timestamp() WHERE position = ANY(%s)"
INSERT = "INSERT INTO outbox (data, written_at) VALUES (repeat('x', 350), %s)"
TABLES = """
    CREATE TABLE outbox (position bigserial PRIMARY KEY, data text, written_at float8,
        sent_at timestamptz);
    CREATE INDEX ON outbox (position) WHERE sent_at IS NULL;
"""


@contextlib.contextmanager
def scratch_database() -> Iterator[str]:
    admin_url = os.environ["TEST_DATABASE_URL"]
    name = f"bench_wakeup_{os.getpid()}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        url = urlunsplit(urlsplit(admin_url)._replace(path=f"/{name}"))
        try:
            with psycopg.connect(url, autocommit=True) as database:
                database.execute(TABLES)
            yield url
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def write(url: str, *, notify: bool, until: float, pause_seconds: float = 0.0) -> int:
    count = 0
    with psycopg.connect(url) as database:
        while time.monotonic() < until:
            with database.transaction():
                if notify:
                    database.execute("NOTIFY outbox")
                database.execute(INSERT, [time.monotonic()])
            count += 1
            if pause_seconds:
                time.sleep(random.expovariate(1 / pause_seconds))
    return count


def writers_rate(url: str, *, notify: bool) -> float:
    """Rows committed a second by all writers, with a relay listening or not."""
    counts: list[int] = []
    until = time.monotonic() + SECONDS
    threads = [
        threading.Thread(target=lambda: counts.append(write(url, notify=notify, until=until)))
        for _ in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def processor_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def relay(
    url: str, *, until: float, wait: Callable[[psycopg.Connection, bool], None]
) -> tuple[list[float], float, int]:
    """Take rows until the end; return the age of each when it was seen, processor seconds of both
    sides, and look-ups.
    """
    ages: list[float] = []
    looks = 0
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("LISTEN outbox")
        backend = database.info.backend_pid
        started = time.thread_time(), processor_seconds(backend)
        while time.monotonic() < until:
            rows = database.execute(UNSENT).fetchall()
            looks += 1
            now = time.monotonic()
            if rows:
                ages += [now - written_at for _, written_at in rows]
                database.execute(MARK, [[position for position, _ in rows]])
            wait(database, bool(rows))
        return (
            ages,
            time.thread_time() - started[0] + processor_seconds(backend) - started[1],
            looks,
        )


def poll(
    shortest: float, longest: float, growth: float = 1.3
) -> Callable[[psycopg.Connection, bool], None]:
    pause = longest

    def wait(_database: psycopg.Connection, busy: bool) -> None:
        nonlocal pause
        pause = shortest if busy else min(pause * growth, longest)
        time.sleep(pause)

    return wait


def listen(database: psycopg.Connection, busy: bool) -> None:
    if not busy:
        for _ in database.notifies(timeout=1.0, stop_after=1):
            pass


WAYS: dict[str, tuple[bool, Callable[[], Callable[[psycopg.Connection, bool], None]]]] = {
    "NOTIFY": (True, lambda: listen),
    "poll 1 ms": (False, lambda: poll(0.001, 0.001)),
    "poll 2 to 5 ms": (False, lambda: poll(0.002, 0.005)),
    "poll 2 to 10 ms": (False, lambda: poll(0.002, 0.010)),
    "poll 2 to 10 ms, slow growth": (False, lambda: poll(0.002, 0.010, 1.05)),
}


def measure(url: str, name: str, rows_per_second: float) -> None:
    notify, make_wait = WAYS[name]
    until = time.monotonic() + SECONDS
    writer = threading.Thread(target=lambda: None)
    if rows_per_second:
        pace = {"notify": notify, "until": until, "pause_seconds": 1 / rows_per_second}
        writer = threading.Thread(target=write, args=[url], kwargs=pace)
    writer.start()
    ages, processor, looks = relay(url, until=until, wait=make_wait())
    writer.join()
    waits = sorted(age * 1000 for age in ages) or [0.0]
    p50, p99 = statistics.median(waits), waits[int(len(waits) * 0.99)]
    print(
        f"{name:<30}{rows_per_second:>5.0f} rows/s  p50 {p50:5.2f} ms  p99 {p99:5.2f} ms  "
        f"{100 * processor / SECONDS:5.1f} % of a core  {looks / SECONDS:5.0f} look-ups/s"
    )


def main() -> None:
    with scratch_database() as url:
        for _ in range(3):
            rates = [writers_rate(url, notify=notify) for notify in (False, True)]
            print(
                f"{WRITERS} writers: {rates[0]:.0f} commits/s without NOTIFY, {rates[1]:.0f} with"
                " it"
            )
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("TRUNCATE outbox")
        for rate in (0, 20, 200):
            for name in WAYS:
                measure(url, name, rate)


if __name__ == "__main__":
    main()
