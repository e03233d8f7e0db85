"""How many connections a service's processes may take of its database (servicekit.operations.web_size says the same to the service)."""

from collections.abc import Mapping

from native.errors import Cannot
from native.layout import SERVICES

RESERVED = 30  # of each service, beside its web threads
SUPERUSER_RESERVED = 3
LEAST, MOST = 200, 1000
DEFAULTS = {"WEB_PROCESSES": 2, "WEB_THREADS": 8}


def of_web(environment: Mapping[str, str]) -> int:
    """Connections of one service's web part: each thread of each process keeps one.

    Raises:
        Cannot: a variable is not a number.
    """
    product = 1
    for name, default in DEFAULTS.items():
        text = environment.get(name) or str(default)
        if not (text.isascii() and text.isdigit()):
            raise Cannot(f"{name} is {text!r}: use a whole number")
        product *= int(text)
    return product


def for_cluster(environment: Mapping[str, str]) -> int:
    """max_connections of the one cluster that all services share.

    Raises:
        Cannot: it would be more than a cluster of this size should bear.
    """
    wanted = len(SERVICES) * (of_web(environment) + RESERVED) + SUPERUSER_RESERVED
    if wanted > MOST:
        raise Cannot(
            f"WEB_PROCESSES x WEB_THREADS of {len(SERVICES)} services make {wanted} database connections, more than {MOST}: lower them"
        )
    return max(LEAST, wanted)


def check_scale(environment: Mapping[str, str], count: int, max_connections: int) -> None:
    """Refuses so many web containers that the service's relay and consumer may find no connection.

    Raises:
        Cannot: N is too high for WEB_PROCESSES, WEB_THREADS and the database.
    """
    wanted, allowed = of_web(environment) * count + RESERVED, max_connections - SUPERUSER_RESERVED
    if wanted > allowed:
        raise Cannot(
            f"N={count} x WEB_PROCESSES x WEB_THREADS and {RESERVED} for other processes are {wanted} database connections,"
            f" and max_connections allows {allowed}: lower N, WEB_PROCESSES or WEB_THREADS"
        )
