"""How large a service's web part is: what gunicorn starts, and what the database must allow."""

from typing import Any

import psycopg

from servicekit import env

#: Connections to a service's database beside those of web threads: relays, consumers, workers,
#: migrations, people.
RESERVED_CONNECTIONS = 30
ALLOWED = """
    SELECT current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0)
"""


class TooManyConnections(RuntimeError):
    """The web threads could take every connection there is: after an outage relay and consumer
    would find none.
    """


def processes() -> int:
    """Return how many web processes a container runs."""
    return env.integer("WEB_PROCESSES", 2, minimum=1, maximum=64)


def threads() -> int:
    """Return how many threads one web process has; each keeps a database connection."""
    return env.integer("WEB_THREADS", 8, minimum=1, maximum=256)


def check_connections(connection: psycopg.Connection[Any]) -> None:
    """Compare what the web part may take with what the server has.

    Raises:
        TooManyConnections: it leaves too few for the others.
    """
    scale = env.integer("WEB_SCALE", 1, minimum=1)
    row = connection.execute(ALLOWED).fetchone()
    allowed = row[0] if row else 0
    wanted = processes() * threads() * scale + RESERVED_CONNECTIONS
    if wanted > allowed:
        raise TooManyConnections(
            f"WEB_PROCESSES ({processes()}) x WEB_THREADS ({threads()}) x the scale of web"
            f" ({scale}) and {RESERVED_CONNECTIONS} for other processes are {wanted} connections;"
            f" the database allows {allowed}. Lower them, or raise max_connections."
        )
