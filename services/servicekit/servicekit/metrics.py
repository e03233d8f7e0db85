"""What Prometheus reads: counters that the processes keep, and gauges that are asked of the database at the scrape.

With PROMETHEUS_MULTIPROC_DIR set, all processes of a service write there and any of them can answer for all.
"""

import os
from collections.abc import Iterable
from pathlib import Path

if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # The client opens its files there as soon as the first counter is made, and does not make the folder.
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)

from django.db import Error, connection
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

EVENTS_PUBLISHED = Counter("souk_events_published_total", "Events the broker confirmed")
EVENTS_HANDLED = Counter("souk_events_handled_total", "Events by outcome", ["queue", "type", "outcome"])
DEAD_LETTERS = Counter("souk_dead_letters_total", "Messages given up on", ["queue", "reason"])
RELAY_ERRORS = Counter("souk_relay_errors_total", "Windows or rows that could not be published", ["kind"])
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
           (SELECT count(*) FROM dead_letter WHERE state = 'waiting')
    FROM outbox WHERE sent_at IS NULL AND parked_at IS NULL
"""


class WaitingWork(Collector):
    """What waits in this service's database: unsent events, their age, dead letters nobody has looked at."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the gauges; none of them when the database is away, for no number is better than a wrong one."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(WAITING)
                unsent, age_seconds, letters = cursor.fetchone()
        except Error:
            return []
        return [
            GaugeMetricFamily("souk_outbox_unsent", "Events not yet published", value=unsent),
            GaugeMetricFamily(
                "souk_outbox_oldest_age_seconds",
                "Age of the oldest unpublished event",
                value=float(age_seconds),
            ),
            GaugeMetricFamily("souk_dead_letters_waiting", "Dead letters to look at", value=letters),
        ]


def exposition() -> bytes:
    """Return everything in Prometheus' text format, summed over this service's processes."""
    summed = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        summed = CollectorRegistry()
        multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
    waiting = CollectorRegistry()
    waiting.register(WaitingWork())
    return generate_latest(summed) + generate_latest(waiting)


def drop_files_of_the_dead(folder: Path) -> None:
    """Remove what processes that are gone left behind; those that live on in the same folder keep theirs.

    Gunicorn calls it at start: sums would otherwise grow by a file for every process that ever was.
    """
    for file in folder.glob("*.db"):
        process_id = file.stem.rpartition("_")[2]
        if process_id.isdigit() and not Path(f"/proc/{process_id}").exists():
            file.unlink(missing_ok=True)
