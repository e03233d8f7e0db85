"""PostgreSQL: a cluster of the stack's own; `manage.py prepare` makes each service's database."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from native import packages
from native.layout import OUTSIDE, Layout, fill_template
from native.ports import Ports
from souk import commands, dotenv
from souk.checkout import POSTGRESQL_SETTINGS, SERVICES
from souk.connections import LEAST, cluster_connections
from souk.console import CommandError
from souk.files import write_file

SUPERUSER = "postgres"
INITDB = ("--auth-host=scram-sha-256", "--auth-local=reject", "--encoding=UTF8", "--no-sync")


def account() -> str | None:
    """Return whom the server, which refuses to run as root, runs as then; None for ourselves."""
    return "postgres" if os.geteuid() == 0 else None


def identity() -> dict[str, Any]:
    """Return Popen's words for a process of the server's account."""
    return {"user": account(), "group": account(), "extra_groups": [] if account() else None}


def data(layout: Layout) -> Path:
    """Return where the cluster is: in the state folder, unless PostgreSQL's user cannot enter."""
    return layout.cluster_outside or layout.state / "postgres"


def choose_place(layout: Layout) -> Path:
    """Return where the cluster is, or will be.

    A new cluster of a checkout under /root lies outside, under a name that no other can have.
    """
    if account() and not data(layout).exists() and not is_reachable(layout.state):
        # At random, not by the path: another checkout may be made where this one was moved away.
        place = OUTSIDE / f"souk-{secrets.token_hex(8)}"
        write_file(layout.postgres_location, f"{place}\n", mode=0o644)
    return data(layout)


def is_reachable(folder: Path) -> bool:
    """Return whether everybody may pass through the folder and all above it."""
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def programs(layout: Layout) -> Path:
    """Return the folder of the server programs that fit the cluster."""
    version = data(layout) / "PG_VERSION"
    major = int(version.read_text()) if version.exists() else None
    found = packages.postgresql_bin(major)
    if found is None:
        fix = f"install postgresql-{major}, or `make reset`"
        raise CommandError(f"the database was made by PostgreSQL {major}: {fix}")
    return found


def command(layout: Layout) -> list[str]:
    return [str(programs(layout) / "postgres"), "-D", str(data(layout))]


def prepare(layout: Layout, ports: Ports, *, forgetful: bool) -> None:
    """Make the cluster if there is none, and write its configuration."""
    place = choose_place(layout)
    if account() and layout.cluster_outside is None and not is_reachable(layout.state):
        raise CommandError(
            f"PostgreSQL's user {account()} may not enter {layout.state}:"
            " `chmod o+x` what is above it, or move the checkout"
        )
    if place.exists() and not (place / "PG_VERSION").exists():
        shutil.rmtree(place)  # a first start that was cut off
    if not place.exists():
        _make_cluster(layout, place)
    _drop_stale_pid(place)
    (place / "souk.conf").write_text(_settings(ports, forgetful=forgetful))
    (place / "pg_hba.conf").write_text(_access(for_tests=forgetful))
    main = place / "postgresql.conf"
    # Included, not rewritten: what a person has set in postgresql.conf stays.
    if "souk.conf" not in main.read_text():
        main.write_text(main.read_text() + "\ninclude = 'souk.conf'\n")
    _give(place)


def _settings(ports: Ports, *, forgetful: bool) -> str:
    connections = LEAST if forgetful else cluster_connections(dotenv.effective())
    shared = {**POSTGRESQL_SETTINGS, "max_connections": str(connections)}
    return "".join([
        fill_template("postgresql.conf", port=ports["postgres"]),
        *(f"{name} = '{value}'\n" for name, value in shared.items()),
        fill_template("forgetful.conf") if forgetful else "",
    ])  # fmt: skip


def _make_cluster(layout: Layout, place: Path) -> None:
    """initdb into a folder beside, renamed when whole."""
    making = place.with_name(f"{place.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True, mode=0o700)
    _give(making)
    with tempfile.NamedTemporaryFile("w", prefix="souk-") as password:
        password.write(layout.secret("postgres-postgres") + "\n")
        password.flush()
        _give(Path(password.name))
        words = ["-D", making, "-U", SUPERUSER, f"--pwfile={password.name}", "--locale=C.UTF-8"]
        initdb = [programs(layout) / "initdb", *words, *INITDB]
        commands.run_checked("initdb", initdb, folder=Path("/"), **identity())
    # initdb that was cut off leaves a folder that looks like a cluster.
    making.rename(place)


def _give(place: Path) -> None:
    """Let the account own its folder and what we wrote there."""
    owner = account()
    if owner:
        for path in (place, *(place.glob("*.conf") if place.is_dir() else ())):
            shutil.chown(path, owner, owner)


def _drop_stale_pid(place: Path) -> None:
    """Delete a killed server's pid file: some other process may have the number by now."""
    pid_file = place / "postmaster.pid"
    if pid_file.exists() and not _works_in(int(pid_file.read_text().split()[0]), place):
        pid_file.unlink()


def _works_in(pid: int, place: Path) -> bool:
    """Whether the process is a server of this cluster: each has its own as working folder."""
    process = Path(f"/proc/{pid}")
    try:
        is_server = (process / "comm").read_text() == "postgres\n"
        return is_server and (process / "cwd").samefile(place)
    except OSError:
        return False


def _access(*, for_tests: bool) -> str:
    """pg_hba.conf: each role reaches one database, the superuser all; nobody without a password.

    Tests make roles of their own.
    """
    rows = [("all", SUPERUSER), *((name, name) for name in SERVICES)]
    return "".join(
        f"host {database} {user} 127.0.0.1/32 scram-sha-256\n"
        for database, user in ([("all", "all")] if for_tests else rows)
    )


def answers(layout: Layout, ports: Ports) -> bool:
    """Return whether it takes connections now; after a crash it first replays its log."""
    words = ["-h", "127.0.0.1", "-p", str(ports["postgres"]), "-U", SUPERUSER]
    return commands.run([programs(layout) / "pg_isready", *words]).returncode == 0
