"""Health of a service: `/livez` asks the process only, `/readyz` everything that it needs.

Not ready (503) means: send no requests. Degraded (200) means: requests are answered, but something
behind them waits and needs attention. A broker that is away leaves orders acceptable, so it must
not take the service out of the gateway. `/metrics` is for Prometheus.
"""

import threading
import time
from collections.abc import Callable

import kombu
import orjson
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from servicekit.conf import kit_settings
from servicekit.operations import heartbeats, metrics, waiting_work

OLD_EVENT_SECONDS = 60
BROKER_CHECK_SECONDS = 5.0
CONTENT_TYPE = "application/json"


def livez(_request: HttpRequest) -> HttpResponse:
    """Answer that the process runs; a restart would not mend anything else."""
    return HttpResponse(b'{"status": "alive"}', content_type=CONTENT_TYPE)


def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer with each check and its finding: ok, or what is wrong and how to repair it."""
    database = _run(_database)
    # While the database is away, each question to it may take the whole connection time-out, and
    # a probe does not wait for several of them.
    ask = _run if database == "ok" else _skip
    needed = {"database": database, "migrations": ask(_migrations)}
    watched = {name: ask(check) for name, check in _database_checks().items()}
    watched = {"broker": _run(_broker), **watched}
    ready = all(finding == "ok" for finding in needed.values())
    well = ready and all(finding == "ok" for finding in watched.values())
    status = "ready" if well else "degraded" if ready else "not ready"
    body = {"status": status, "checks": {**needed, **watched}}
    return HttpResponse(orjson.dumps(body), status=200 if ready else 503, content_type=CONTENT_TYPE)


def metrics_page(_request: HttpRequest) -> HttpResponse:
    """Answer with every counter and gauge in Prometheus' text format."""
    content_type = "text/plain; version=0.0.4; charset=utf-8"
    return HttpResponse(metrics.exposition(), content_type=content_type)


def _database_checks() -> dict[str, Callable[[], str]]:
    """Return the kit's checks, and the service's own.

    A check returns what is wrong and how to repair it, or an empty text.
    """
    kit = {"processes": _processes, "outbox": _outbox, "dead_letters": _dead_letters}
    return {
        **kit,
        **{name: import_string(path) for name, path in kit_settings.readiness_checks.items()},
    }


def _run(check: Callable[[], str]) -> str:
    try:
        return check() or "ok"
    except Exception as error:  # any failure is a finding: the probe itself must answer
        return f"{type(error).__name__}: {error}"[:300]


def _skip(_check: Callable[[], str]) -> str:
    return "not asked, the database is away"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


_migrated = False


def _migrations() -> str:
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if pending:
            return f"{len(pending)} pending: run `manage.py migrate`"
        _migrated = True
    return ""


class _BrokerCheck:
    """Asks the broker at most every five seconds.

    One thread asks at a time, the others return the last finding: a silent broker would otherwise
    occupy every thread that a probe comes to.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._finding = ""

    def __call__(self) -> str:
        is_due = time.monotonic() - self._asked_at > BROKER_CHECK_SECONDS
        if is_due and self._lock.acquire(blocking=False):
            try:
                self._finding = self._ask()
                self._asked_at = time.monotonic()
            finally:
                self._lock.release()
        return self._finding

    def _ask(self) -> str:
        try:
            with kombu.Connection(kit_settings.broker_url, connect_timeout=2) as broker:
                # Not connect(): it tries three times, and the probe would wait for all of them.
                broker.transport.close_connection(broker.transport.establish_connection())
        except Exception as error:
            return f"away, events wait in the outbox ({type(error).__name__}: {error})"[:300]
        return ""


_broker = _BrokerCheck()


def reset_findings() -> None:
    """Make the next probe ask again (for tests)."""
    global _broker, _migrated
    _broker, _migrated = _BrokerCheck(), False


def _processes() -> str:
    expected = list(kit_settings.expected_processes)
    missing = heartbeats.stale(expected)
    silent = [f"no sign of life from {', '.join(missing)}: is it running?"] if missing else []
    return "; ".join([*silent, *heartbeats.findings(expected)])


def _outbox() -> str:
    findings = []
    oldest = waiting_work.oldest_unsent_event()
    if oldest and oldest.age_seconds > OLD_EVENT_SECONDS:
        reason = oldest.last_error[:200] or "is the relay running?"
        findings.append(f"the oldest unsent event is {int(oldest.age_seconds)} s old: {reason}")
    parked = waiting_work.parked_events()
    if parked:
        findings.append(f"{parked} parked: `make outbox` lists them")
    return "; ".join(findings)


def _dead_letters() -> str:
    waiting = waiting_work.waiting_dead_letters()
    return f"{waiting} wait: `make deadletters` lists them" if waiting else ""
