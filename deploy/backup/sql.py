"""psql: one statement after the other in a session, or a script at once."""

import contextlib
import os
import subprocess
from typing import IO, Self, cast

from backup.shop import Client
from native.errors import Cannot

QUIET = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
END = "--souk-end--"


class Session:
    """A session of psql, for transactions that stay open."""

    def __init__(self, client: Client, database: str) -> None:
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
        """End the session; what is open is rolled back."""
        self._psql.communicate(timeout=30)

    def ask(self, statement: str) -> str:
        """Run one statement and return what it prints.

        Raises:
            Cannot: it failed.
        """
        to_psql, from_psql = cast(IO[str], self._psql.stdin), cast(IO[str], self._psql.stdout)
        with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
            to_psql.write(f"{statement};\n\\echo {END}\n")
            to_psql.flush()
        lines: list[str] = []
        for line in from_psql:
            if line.strip() == END:
                return "".join(lines).strip()
            lines.append(line)
        _, reason = self._psql.communicate()
        raise Cannot(f"{self._database}: {reason.strip()}")


def run(client: Client, database: str, script: str) -> str:
    """Run a script in one transaction and return what it prints.

    Raises:
        Cannot: it failed; nothing of it was done.
    """
    done = subprocess.run(
        client.command("psql", *QUIET, "--single-transaction", "-d", database),
        input=script,
        env={**os.environ, **client.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Cannot(f"{database}: {done.stderr.strip()[-2000:]}")
    return done.stdout
