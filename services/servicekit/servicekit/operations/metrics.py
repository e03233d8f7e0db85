"""What Prometheus reads: counters that the processes keep, and gauges that are asked of the database at the scrape.

With PROMETHEUS_MULTIPROC_DIR set, all processes of a service write there and any of them can answer for all.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # The client opens its files there as soon as the first counter is made, and does not make the folder.
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)

from django.conf import settings
from django.db import Error, connection
from django.utils.module_loading import import_string
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from servicekit import env

EVENTS_PUBLISHED = Counter("souk_events_published_total", "Events the broker confirmed")
EVENTS_HANDLED = Counter("souk_events_handled_total", "Events by outcome", ["queue", "type", "outcome"])
DEAD_LETTERS = Counter("souk_dead_letters_total", "Messages given up on", ["queue", "reason"])
RELAY_ERRORS = Counter("souk_relay_errors_total", "Windows or rows that could not be published", ["kind"])
TOPOLOGY_ERRORS = Counter(
    "souk_topology_errors_total", "Queues found missing or unbound, by check", ["queue"]
)
ROWS_PURGED = Counter("souk_rows_purged_total", "Old rows deleted", ["table"])
PURGE_ERRORS = Counter("souk_purge_errors_total", "Purges of a table that failed", ["table"])
HTTP_REQUESTS = Histogram(
    "souk_http_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

WAITING = """
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0),
           (SELECT count(*) FROM dead_letter WHERE state = 'waiting'),
           (SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL AND discarded_at IS NULL)
    FROM outbox WHERE sent_at IS NULL AND parked_at IS NULL
"""


class Gauge(NamedTuple):
    """A number that is asked of the database at the scrape."""

    name: str
    description: str
    value: float


def waiting_work() -> list[Gauge]:
    """Return what waits in this service's database: unsent events, their age, dead letters nobody has looked at."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        unsent, age_seconds, letters, parked = cursor.fetchone()
    return [
        Gauge("souk_outbox_unsent", "Events not yet published", unsent),
        Gauge("souk_outbox_oldest_age_seconds", "Age of the oldest unpublished event", float(age_seconds)),
        Gauge("souk_outbox_parked", "Events that wait for a person", parked),
        Gauge("souk_dead_letters_waiting", "Dead letters to look at", letters),
    ]


class DatabaseGauges(Collector):
    """The kit's gauges, and those of the functions that settings.GAUGES names."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the gauges; none of them when the database is away, for no number is better than a wrong one."""
        own: list[Callable[[], Iterable[Gauge]]] = [
            import_string(path) for path in getattr(settings, "GAUGES", [])
        ]
        try:
            gauges = [gauge for ask in (waiting_work, *own) for gauge in ask()]
        except Error:
            return []
        return [GaugeMetricFamily(one.name, one.description, value=one.value) for one in gauges]


def exposition() -> bytes:
    """Return everything in Prometheus' text format, summed over this service's processes."""
    waiting = CollectorRegistry()
    waiting.register(DatabaseGauges())
    return generate_latest(counters()) + generate_latest(waiting)


def counters() -> CollectorRegistry:
    """Return what counts: this process, or all that share its folder."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    summed = CollectorRegistry()
    multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
    return summed


def serve() -> None:
    """Serve the counters on METRICS_PORT from a thread that ends with the process; without the variable, do nothing.

    For processes that have no other port and no folder in common with one that has: in containers each has its own. The gauges
    are left to the web process, whose threads have the database connections for them.

    Raises:
        OSError: something else listens on the port.
    """
    port = env.integer("METRICS_PORT", 0, minimum=0, maximum=65535)
    if port:
        start_http_server(port, addr="0.0.0.0", registry=counters())  # noqa: S104  # nosec B104: a container's own


def drop_files_of_the_dead(folder: Path) -> None:
    """Remove what processes that are gone left behind; those that live on in the same folder keep theirs.

    Gunicorn calls it at start: sums would otherwise grow by a file for every process that ever was.
    """
    for file in folder.glob("*.db"):
        process_id = file.stem.rpartition("_")[2]
        if process_id.isdigit() and not Path(f"/proc/{process_id}").exists():
            file.unlink(missing_ok=True)
