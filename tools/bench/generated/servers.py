"""A products web server for each size of catalogue, as the shop's own but for its database."""

import hashlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil
import psycopg
from psycopg import sql

from bench.addresses import await_answer, free_address
from bench.generated import generate, statements, words
from native import run as native
from native.layout import Layout
from shopper.databases import other_database
from shopper.ops import ROOT, Ops

SERVICE = ROOT / "services" / "products"
#: Of the database's other connections.
BACKENDS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Served:
    """A web server of products, and its database."""

    url: str
    database_url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return what its processes have used so far, and those of PostgreSQL that serve it."""
        workers = psutil.Process(self.pid).children(recursive=True)
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(BACKENDS).fetchall()
        backends = [psutil.Process(pid) for (pid,) in rows]
        return sum(
            each.cpu_times().user + each.cpu_times().system for each in (*workers, *backends)
        )


class Catalogues:
    """The databases `bench_catalogue_SIZE` on the stack's PostgreSQL.

    Each is made once: a comment on it says what made it, and is written last, so that what was cut
    off, or made by other migrations, is made anew.
    """

    def __init__(self, server: str, variables: Mapping[str, str]) -> None:
        """Take a superuser's URL of the server, and the variables of the service's processes."""
        self._server, self._variables = server, variables

    @classmethod
    def of(cls, ops: Ops) -> "Catalogues":
        """Return those of the shop that is up."""
        variables = native.environment(Layout(ops.state.resolve()), "products")
        return cls(ops["OPS_DATABASE_URL_PRODUCTS"], variables)

    def url(self, size: int) -> str:
        """Return the database's address."""
        return other_database(self._server, _name(size))

    def make(self, size: int) -> float:
        """Make the catalogue unless it is there, whole. Returns how many seconds that took."""
        began = time.monotonic()
        name, mark = sql.Identifier(_name(size)), f"{size} products, made by {_version()}"
        with psycopg.connect(self._server, autocommit=True) as admin:
            if _comment(admin, _name(size)) == mark:
                return 0.0
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
            self.migrate(size)
            with psycopg.connect(self.url(size), autocommit=True) as connection:
                generate.fill(connection, size)
            comment = sql.SQL("COMMENT ON DATABASE {} IS {}")
            admin.execute(comment.format(name, sql.Literal(mark)))
        return time.monotonic() - began

    def migrate(self, size: int) -> None:
        """Make the service's tables in an empty database."""
        command = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
        subprocess.run(command, cwd=SERVICE, env=self._with(size, {}), check=True)

    def drop(self) -> None:
        """Drop every catalogue, also those of other sizes."""
        with psycopg.connect(self._server, autocommit=True) as admin:
            rows = admin.execute(
                r"SELECT datname FROM pg_database WHERE datname LIKE 'bench\_catalogue\_%'"
            )
            for (name,) in rows.fetchall():
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                admin.execute(drop.format(sql.Identifier(name)))

    @contextmanager
    def served(self, sizes: Sequence[int]) -> Iterator[dict[int, "Served"]]:
        """Run a web server on each; yields them by size."""
        with ExitStack() as stack:
            yield {size: stack.enter_context(self._served(size)) for size in sizes}

    @contextmanager
    def _served(self, size: int) -> Iterator["Served"]:
        address = free_address()
        with tempfile.TemporaryDirectory(prefix="souk-bench-") as folder:
            own = {"WEB_BIND": address, "PROMETHEUS_MULTIPROC_DIR": folder}
            own["JWKS_CACHE_FILE"] = str(Path(folder) / "jwks.json")
            with (Path(folder) / "log").open("wb") as log:
                server = self._start(self._with(size, own), log)
                try:
                    await_answer(f"http://{address}/healthz", server)
                    yield Served(f"http://{address}", self.url(size), server.pid)
                finally:
                    server.send_signal(signal.SIGTERM)
                    server.wait(timeout=30)

    def _start(self, variables: Mapping[str, str], log: BinaryIO) -> "subprocess.Popen[bytes]":
        command = [str(ROOT / "deploy" / "image" / "run"), "web"]
        # A session of its own: Ctrl-C ends the benchmark, and that ends the server.
        return subprocess.Popen(
            command, cwd=SERVICE, env=variables, stdout=log, stderr=log, start_new_session=True
        )

    def _with(self, size: int, own: Mapping[str, str]) -> dict[str, str]:
        return {**self._variables, "DATABASE_URL": self.url(size), **own}


def _name(size: int) -> str:
    return f"bench_catalogue_{size}"


def _comment(admin: psycopg.Connection[tuple[str | None]], name: str) -> str | None:
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    row = admin.execute(query, [name]).fetchone()
    return row[0] if row else None


def _version() -> str:
    """A digest of the service's migrations and of what makes the rows."""
    makers = (Path(generate.__file__), Path(statements.__file__), Path(words.__file__))
    digest = hashlib.sha256()
    for file in (*sorted((SERVICE / "products" / "migrations").glob("0*.py")), *makers):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]
