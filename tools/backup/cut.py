"""A consistent cut through three databases, and their dumps as of it.

No effect may be in the cut without its cause. Causes and effects meet in the inboxes: while nobody
can write to any inbox, no event that a snapshot lacks can be an effect in another. So all inboxes
are locked, the snapshots are taken, and the locks are let go: consumers pause for as long as the
slowest of them needs to finish its batch; everything else goes on.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from souk import sql
from souk.checkout import SERVICES
from souk.console import log_step
from souk.runtime import Runtime

LOCK = "SET LOCAL lock_timeout = '30s'; LOCK TABLE inbox IN SHARE MODE"


@contextmanager
def snapshots(shop: Runtime) -> Iterator[dict[str, str]]:
    """Service → id of its snapshot, which is good for the length of the block."""
    with ExitStack() as sessions:
        with ExitStack() as locks:
            for service in SERVICES:
                lock = locks.enter_context(sql.Session(shop.client(service), service))
                lock.ask("BEGIN")
                lock.ask(LOCK)
            found = {}
            for service in SERVICES:
                session = sessions.enter_context(sql.Session(shop.client(service), service))
                session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                found[service] = session.ask("SELECT pg_export_snapshot()")
        log_step("snapshots of the three databases are taken; consumers go on")
        yield found


def dump(shop: Runtime, service: str, snapshot: str, target: Path) -> None:
    """Write a service's database as of the snapshot, in PostgreSQL's custom format."""
    words = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}")
    with target.open("wb") as file:
        client = shop.client(service)
        sql.run_program(client, "pg_dump", *words, f"--dbname={service}", stdout=file)
    log_step(f"{service}: {target.stat().st_size / 1e6:.1f} MB")


def restore(shop: Runtime, service: str, source: Path) -> None:
    """Fill a service's empty database; everything in it belongs to the service's role."""
    words = ("--no-owner", "--no-privileges", f"--role={service}", "--exit-on-error")
    with source.open("rb") as file:
        client = shop.client(service)
        sql.run_program(client, "pg_restore", *words, f"--dbname={service}", stdin=file)
    log_step(f"{service} is restored")
