"""How many database connections a service's processes may take.

servicekit counts the same way when a service starts (tests/repository compares the numbers).
"""

from collections.abc import Mapping

from souk.checkout import POSTGRESQL_SETTINGS, SERVICES
from souk.console import CommandError

RESERVED = 30  # of each service, beside its web threads
SUPERUSER_RESERVED = 3  # PostgreSQL's superuser_reserved_connections
#: Of a service's own server in containers, and the least of the server that all share natively.
LEAST = int(POSTGRESQL_SETTINGS["max_connections"])
MOST = 1000  # more than a server of this size should bear
DEFAULTS = {"WEB_PROCESSES": 2, "WEB_THREADS": 8}


def web_connections(environment: Mapping[str, str]) -> int:
    """Return what one service's web part keeps: a connection per thread of each process."""
    product = 1
    for name, default in DEFAULTS.items():
        text = environment.get(name) or str(default)
        if not (text.isascii() and text.isdigit()):
            raise CommandError(f"{name} is {text!r}: use a whole number")
        product *= int(text)
    return product


def cluster_connections(environment: Mapping[str, str]) -> int:
    """Return max_connections of the one server that all services share natively."""
    wanted = len(SERVICES) * (web_connections(environment) + RESERVED) + SUPERUSER_RESERVED
    if wanted > MOST:
        raise CommandError(
            f"WEB_PROCESSES x WEB_THREADS of {len(SERVICES)} services make {wanted} database"
            f" connections, more than {MOST}: lower them"
        )
    return max(LEAST, wanted)


def check_scale(environment: Mapping[str, str], count: int) -> None:
    """Refuse so many web containers that the service's other processes may get no connection."""
    wanted, allowed = web_connections(environment) * count + RESERVED, LEAST - SUPERUSER_RESERVED
    if wanted > allowed:
        raise CommandError(
            f"N={count} x WEB_PROCESSES x WEB_THREADS and {RESERVED} for other processes are"
            f" {wanted} database connections, and max_connections allows {allowed}:"
            " lower N, WEB_PROCESSES or WEB_THREADS"
        )
