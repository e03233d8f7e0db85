"""PostgreSQL's client programs: psql, one statement after the other or a script at once."""

import contextlib
import os
import re
import subprocess
import tempfile
from typing import IO, Self, cast

from souk.console import CommandError
from souk.runtime import DatabaseClient

QUIET = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
END = "--souk-end--"


class Session:
    """A session of psql, for transactions that stay open; leaving it rolls back what is open."""

    def __init__(self, client: DatabaseClient, database: str) -> None:
        self._database = database
        self._psql = subprocess.Popen(
            client.command("psql", *QUIET, "-d", database),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **client.variables},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._psql.communicate(timeout=30)

    def ask(self, statement: str) -> str:
        """Run one statement and return what it prints."""
        to_psql = cast(IO[str], self._psql.stdin)
        with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
            to_psql.write(f"{statement};\n\\echo {END}\n")
            to_psql.flush()
        lines: list[str] = []
        for line in cast(IO[str], self._psql.stdout):
            if line.strip() == END:
                return "".join(lines).strip()
            lines.append(line)
        _, reason = self._psql.communicate()
        raise CommandError(f"{self._database}: {reason.strip()}")


def run_program(
    client: DatabaseClient,
    program: str,
    *words: str,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stdout: IO[bytes] | int = subprocess.PIPE,
) -> str:
    """Run one of PostgreSQL's programs to its end; return what it printed, unless to a file."""
    done = subprocess.run(
        client.command(program, *words),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **client.variables},
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()[-2000:]
        raise CommandError(f"{program} failed: {reason}")
    return (done.stdout or b"").decode()


def run_script(client: DatabaseClient, database: str, script: str) -> str:
    """Run a script in one transaction and return what it prints; if it fails nothing was done."""
    with tempfile.TemporaryFile() as file:  # some are longer than a command line may be
        file.write(script.encode())
        file.seek(0)
        words = (*QUIET, "--single-transaction", "-d", database)
        return run_program(client, "psql", *words, stdin=file)


def make_database(client: DatabaseClient, service: str) -> None:
    """Make a service's empty database; its role gets its password from `manage.py prepare`."""
    with Session(client, "postgres") as session:  # CREATE DATABASE allows no transaction
        session.ask(f"CREATE ROLE {service} LOGIN")
        session.ask(f"CREATE DATABASE {service} OWNER {service}")


def major_version(text: str) -> int:
    """Return 17 for "pg_restore (PostgreSQL) 17.6 (Debian …)"."""
    return int(re.findall(r"\(PostgreSQL\) (\d+)", text)[0])
