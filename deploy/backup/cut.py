"""A consistent cut through three databases, and their dumps as of it.

No effect may be in the cut without its cause. Causes and effects meet in the inboxes: while nobody can write to any inbox, no event that a
snapshot lacks can be an effect in another. So all inboxes are locked, the snapshots are taken, and the locks are let go: consumers pause for
as long as the slowest of them needs to finish its batch; everything else goes on.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backup.shop import Shop
from backup.sql import Session
from native.errors import Cannot
from native.layout import SERVICES
from native.progress import say

LOCK = "SET LOCAL lock_timeout = '30s'; LOCK TABLE inbox IN SHARE MODE"


@contextmanager
def snapshots(shop: Shop) -> Iterator[dict[str, str]]:
    """Service → id of its snapshot, which is good for the length of the block.

    Raises:
        Cannot: a consumer's transaction did not end in time.
    """
    with ExitStack() as sessions:
        with ExitStack() as locks:
            for service in SERVICES:
                lock = locks.enter_context(Session(shop.client(service), service))
                lock.ask("BEGIN")
                lock.ask(LOCK)
            found = {}
            for service in SERVICES:
                session = sessions.enter_context(Session(shop.client(service), service))
                session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                found[service] = session.ask("SELECT pg_export_snapshot()")
        say("snapshots of the three databases are taken; consumers go on")
        yield found


def dump(shop: Shop, service: str, snapshot: str, target: Path) -> None:
    """Write a service's database as of the snapshot, in PostgreSQL's custom format.

    Raises:
        Cannot: pg_dump failed.
    """
    client = shop.client(service)
    words = [
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot}",
        f"--dbname={service}",
    ]
    with target.open("wb") as file:
        done = subprocess.run(
            client.command("pg_dump", *words),
            stdout=file,
            stderr=subprocess.PIPE,
            env={**os.environ, **client.variables},
            check=False,
        )
    if done.returncode:
        raise Cannot(f"pg_dump of {service} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    say(f"{service}: {target.stat().st_size / 1e6:.1f} MB")


def restore(shop: Shop, service: str, source: Path) -> None:
    """Fill a service's empty database; everything in it belongs to the service's role.

    Raises:
        Cannot: pg_restore failed.
    """
    client = shop.client(service)
    words = ["--no-owner", "--no-privileges", f"--role={service}", "--exit-on-error", f"--dbname={service}"]
    with source.open("rb") as file:
        done = subprocess.run(
            client.command("pg_restore", *words),
            stdin=file,
            capture_output=True,
            env={**os.environ, **client.variables},
            check=False,
        )
    if done.returncode:
        raise Cannot(f"pg_restore of {service} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    say(f"{service} is restored")
