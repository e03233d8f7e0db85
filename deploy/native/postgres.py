"""PostgreSQL: a cluster of the stack's own; one database and one role per service, each locked out of the others."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from native import connections, files, packages, processes, scram, variables
from native.errors import Cannot
from native.layout import OUTSIDE, SERVICES, Layout
from native.ports import Ports
from native.secret_store import secret

SUPERUSER = "postgres"
# The server refuses to run as root; these accounts may stand in, the package's own first.
STAND_INS = ("postgres", "nobody")
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = {connections}
shared_buffers = 128MB
max_wal_size = 1GB
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
log_min_duration_statement = 1000
# The log may be read by more people than the tables: no parameters, and no DETAIL, which quotes the row that was refused.
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
{durability}
"""
# For tests only: a crash of the machine loses the cluster, and nobody minds.
FORGETFUL = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nlog_min_duration_statement = -1"

# Statements that hold a password's verifier leave no trace in the server's log, however slow or wrong they are.
UNLOGGED = (
    "SET log_statement = 'none';",
    "SET log_min_duration_statement = -1;",
    "SET log_min_error_statement = 'panic';",
)


def account() -> str | None:
    """Whom the server runs as when we are root; None for ourselves."""
    if os.geteuid() != 0:
        return None
    for name in STAND_INS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Cannot("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def data(layout: Layout) -> Path:
    """Where the cluster is: in the state folder, or, once made for one that is closed to PostgreSQL's user, outside."""
    return layout.cluster_outside or layout.state / "postgres"


def _choose_place(layout: Layout) -> Path:
    """A new cluster for a checkout under /root goes elsewhere, under a name that no other checkout can come to have."""
    if account() and not data(layout).exists() and not _reachable(layout.state):
        place = OUTSIDE / f"souk-{secrets.token_hex(8)}"
        files.write(layout.postgres_location, f"{place}\n", mode=0o644)
    return data(layout)


def _reachable(folder: Path) -> bool:
    """Whether everybody may pass through the folder and all above it."""
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def programs(layout: Layout) -> Path:
    """The folder of the server programs that fit the cluster.

    Raises:
        Cannot: the major version that made the cluster is not installed any more.
    """
    version = data(layout) / "PG_VERSION"
    major = int(version.read_text()) if version.exists() else None
    found = packages.postgresql_bin(major)
    if found is None:
        raise Cannot(
            f"the database was made by PostgreSQL {major}: install postgresql-{major}, or `make reset`"
        )
    return found


def command(layout: Layout) -> list[str]:
    return [str(programs(layout) / "postgres"), "-D", str(data(layout))]


def prepare(layout: Layout, ports: Ports, *, forgetful: bool) -> None:
    """Makes the cluster if there is none, and writes its configuration."""
    place = _choose_place(layout)
    if account() and layout.cluster_outside is None and not _reachable(layout.state):
        raise Cannot(
            f"PostgreSQL's user {account()} may not enter {layout.state}: `chmod o+x` what is above it, or move the checkout"
        )
    if place.exists() and not (place / "PG_VERSION").exists():
        shutil.rmtree(place)  # a first start that was cut off
    if not place.exists():
        _make_cluster(layout, place)
    _drop_stale_pid(place)
    settings = SETTINGS.format(
        port=ports["postgres"],
        connections=connections.LEAST if forgetful else connections.for_cluster(variables.asked()),
        durability=FORGETFUL if forgetful else "",
    )
    (place / "souk.conf").write_text(settings)
    (place / "pg_hba.conf").write_text(_access(for_tests=forgetful))
    main = place / "postgresql.conf"
    if "souk.conf" not in main.read_text():
        main.write_text(main.read_text() + "\ninclude = 'souk.conf'\n")
    _give(place)


def _make_cluster(layout: Layout, place: Path) -> None:
    """initdb into a folder beside, renamed when whole."""
    making = place.with_name(f"{place.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True, mode=0o700)
    _give(making)
    words = [
        "--auth-host=scram-sha-256",
        "--auth-local=reject",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    with tempfile.NamedTemporaryFile("w", prefix="souk-", dir=tempfile.gettempdir()) as password:
        password.write(secret(layout, "postgres-postgres") + "\n")
        password.flush()
        _give(Path(password.name))
        _as_account([
            str(programs(layout) / "initdb"), "-D", str(making), "-U", SUPERUSER, f"--pwfile={password.name}", *words,
        ])  # fmt: skip
    making.rename(place)


def _as_account(command: list[str]) -> None:
    done = subprocess.run(
        command, **identity(), cwd="/", env={"PATH": packages.SEARCH_PATH, "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Cannot(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")


def identity() -> dict[str, Any]:
    """Popen's words for a process of the server's account."""
    return {"user": account(), "group": _group(), "extra_groups": [] if account() else None}


def _group() -> int | None:
    name = account()
    return pwd.getpwnam(name).pw_gid if name else None


def _give(place: Path) -> None:
    """Lets the account own its folder and what we wrote there."""
    name = account()
    if name:
        for path in (place, *(place.glob("*.conf") if place.is_dir() else ())):
            shutil.chown(path, name, _group())


def _drop_stale_pid(place: Path) -> None:
    """A pid file of a killed server, whose number some other process may have by now."""
    pid_file = place / "postmaster.pid"
    if not pid_file.exists():
        return
    if not _works_in(int(pid_file.read_text().split()[0]), place):
        pid_file.unlink()


def _works_in(pid: int, place: Path) -> bool:
    """Whether the process is a server of this cluster: each has its own as working folder."""
    found = processes.stat(pid)
    try:
        return found is not None and found[0] == "postgres" and Path(f"/proc/{pid}/cwd").samefile(place)
    except OSError:
        return False


def _access(*, for_tests: bool) -> str:
    """pg_hba.conf: each role reaches one database, the superuser all; nobody without a password. Tests make roles of their own."""
    rows = [("all", "all")] if for_tests else [("all", SUPERUSER), *((name, name) for name in SERVICES)]
    return "".join(f"host {database} {user} 127.0.0.1/32 scram-sha-256\n" for database, user in rows)


def answers(layout: Layout, ports: Ports) -> bool:
    """Whether it takes connections now."""
    return _psql(layout, ports, "SELECT 1").returncode == 0


def wait(layout: Layout, ports: Ports, seconds: float = 60) -> None:
    """Waits until it takes connections; after a crash it first replays its log."""
    deadline = time.monotonic() + seconds
    while not answers(layout, ports):
        if time.monotonic() > deadline:
            raise Cannot(
                f"PostgreSQL does not answer after {seconds:.0f} s: see {layout.log / 'postgres.log'}"
            )
        time.sleep(0.1)


def make_databases(layout: Layout, ports: Ports) -> None:
    """Makes roles and databases that are missing, and shuts each to the others. Twice is once."""
    existing = _psql(layout, ports, "SELECT datname FROM pg_database").stdout.split()
    statements = [*UNLOGGED, "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;"]
    for name in SERVICES:
        verifier = scram.verifier(secret(layout, f"postgres-{name}"))
        statements += [
            f"DO $$BEGIN CREATE ROLE {name} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$;",
            f"ALTER ROLE {name} PASSWORD '{verifier}' NOSUPERUSER NOCREATEDB NOCREATEROLE;",
            *([] if name in existing else [f"CREATE DATABASE {name} OWNER {name};"]),
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;",
        ]
    done = _psql(layout, ports, "\n".join(statements))
    if done.returncode:
        raise Cannot(f"the databases could not be made:\n{done.stderr}")


def _psql(layout: Layout, ports: Ports, statements: str) -> subprocess.CompletedProcess[str]:
    """Runs statements as the superuser; they come on stdin, so that no password is seen among the processes."""
    words = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(ports["postgres"])]
    environment = {
        "PGPASSWORD": secret(layout, "postgres-postgres"), "PATH": packages.SEARCH_PATH, "PGCONNECT_TIMEOUT": "3",
    }  # fmt: skip
    return subprocess.run(
        [str(programs(layout) / "psql"), *words, "-U", SUPERUSER, "-d", "postgres"],
        input=statements, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
