"""What Prometheus reads: counters that processes keep, and gauges that a scrape computes.

With PROMETHEUS_MULTIPROC_DIR set, all processes of a service write there and any of them can answer
for all. The gauges come from the database.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # The client opens its files there as soon as the first counter is made, and needs the folder.
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)

from django.db import Error
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
from servicekit.conf import kit_settings

EVENTS_PUBLISHED = Counter("souk_events_published_total", "Events the broker confirmed")
EVENTS_HANDLED = Counter(
    "souk_events_handled_total", "Events by outcome", ["queue", "type", "outcome"]
)
DEAD_LETTERS = Counter("souk_dead_letters_total", "Messages given up on", ["queue", "reason"])
RELAY_ERRORS = Counter(
    "souk_relay_errors_total", "Windows or rows that could not be published", ["kind"]
)
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

#: Imported at the scrape, as are the service's own: gunicorn's master process imports this
#: module without any models.
KIT_GAUGES = "servicekit.operations.waiting_work.gauges"


class Gauge(NamedTuple):
    """A number that a scrape asks of the database."""

    name: str
    description: str
    value: float


class DatabaseGauges(Collector):
    """The kit's gauges, and the service's own."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the gauges; none while the database is away, since any number would be wrong."""
        paths = [KIT_GAUGES, *kit_settings.gauges]
        functions: list[Callable[[], Iterable[Gauge]]] = [import_string(path) for path in paths]
        try:
            gauges = [gauge for function in functions for gauge in function()]
        except Error:
            return []
        return [
            GaugeMetricFamily(gauge.name, gauge.description, value=gauge.value) for gauge in gauges
        ]


def exposition() -> bytes:
    """Return everything in Prometheus' text format, summed over this service's processes."""
    gauges = CollectorRegistry()
    gauges.register(DatabaseGauges())
    return generate_latest(counters()) + generate_latest(gauges)


def counters() -> CollectorRegistry:
    """Return the counters of this process, or of all processes that share its folder."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    summed = CollectorRegistry()
    multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
    return summed


def serve() -> None:
    """Serve the counters on METRICS_PORT from a thread that ends with the process.

    Without the variable, do nothing. It is for processes that have no other port, and share no
    folder with a process that has: in containers each has its own. The gauges are left to the web
    process, whose threads have the database connections for them.

    Raises:
        OSError: something else listens on the port.
    """
    port = env.integer("METRICS_PORT", 0, minimum=0, maximum=65535)
    if port:
        every_address = "0.0.0.0"  # noqa: S104  # nosec B104: inside a container
        start_http_server(port, addr=every_address, registry=counters())


def delete_files_of_ended_processes(folder: Path) -> None:
    """Delete what ended processes left in the folder; running processes keep their files.

    gunicorn calls it at start: the folder would otherwise grow by a file for every process that
    ever ran, and each scrape would read them all.
    """
    for file in folder.glob("*.db"):
        process_id = file.stem.rpartition("_")[2]
        if process_id.isdigit() and not Path(f"/proc/{process_id}").exists():
            file.unlink(missing_ok=True)
