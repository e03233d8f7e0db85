"""Is this service well? `/livez` asks the process only; `/readyz` asks everything it needs; `/metrics` is for Prometheus.

Not ready (503) means: send no requests. Degraded (200) means: requests are answered, but something behind them waits and wants
attention; a broker that is away leaves orders acceptable, so it must not take the service out of the gateway.
"""

import threading
import time
from collections.abc import Callable

import kombu
import orjson
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from servicekit.models import DeadLetter, OutboxEvent
from servicekit.operations import heartbeats, metrics

OLD_EVENT_SECONDS = 60
BROKER_CHECK_SECONDS = 5.0
CONTENT_TYPE = "application/json"

# The oldest row only, and parked rows by their index: a probe must stay cheap when a million events wait.
OLDEST = """
    SELECT extract(epoch FROM clock_timestamp() - created_at), last_error FROM outbox
    WHERE sent_at IS NULL AND parked_at IS NULL ORDER BY position LIMIT 1
"""


def livez(_request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse(b'{"status": "alive"}', content_type=CONTENT_TYPE)


def readyz(_request: HttpRequest) -> HttpResponse:
    """Each check with its finding: ok, or what is wrong and what mends it."""
    database = _run(_database)
    # Each question to a database that is away may cost the whole time limit of a connection, and a probe does not wait that long.
    ask = _run if database == "ok" else _leave
    needed = {"database": database, "migrations": ask(_migrations)}
    wished = {"broker": _run(_broker), **{name: ask(check) for name, check in _wished().items()}}
    ready = all(finding == "ok" for finding in needed.values())
    well = ready and all(finding == "ok" for finding in wished.values())
    status = "ready" if well else "degraded" if ready else "not ready"
    body = {"status": status, "checks": {**needed, **wished}}
    return HttpResponse(orjson.dumps(body), status=200 if ready else 503, content_type=CONTENT_TYPE)


def metrics_page(_request: HttpRequest) -> HttpResponse:
    """Every counter and gauge in Prometheus' text format."""
    return HttpResponse(metrics.exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _wished() -> dict[str, Callable[[], str]]:
    """What is asked of the database: the kit's checks, and those that settings.READINESS_CHECKS names by name and path.

    A check returns what is wrong and what mends it, or nothing.
    """
    own: dict[str, str] = getattr(settings, "READINESS_CHECKS", {})
    kit = {"processes": _processes, "outbox": _outbox, "dead_letters": _dead_letters}
    return {**kit, **{name: import_string(path) for name, path in own.items()}}


def _run(check: Callable[[], str]) -> str:
    try:
        return check() or "ok"
    except Exception as error:  # any failure is a finding; a health check must not fail itself
        return f"{type(error).__name__}: {error}"[:300]


def _leave(_check: Callable[[], str]) -> str:
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
    """Asks the broker at most every five seconds, one thread at a time; the others take the last finding."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._finding = ""

    def __call__(self) -> str:
        if time.monotonic() - self._asked_at > BROKER_CHECK_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._finding = self._ask()
                self._asked_at = time.monotonic()
            finally:
                self._lock.release()
        return self._finding

    def _ask(self) -> str:
        try:
            with kombu.Connection(settings.BROKER_URL, connect_timeout=2) as broker:
                # Not connect(): that tries three times, and a probe waits for all of them.
                broker.transport.close_connection(broker.transport.establish_connection())
        except Exception as error:
            return f"away, events wait in the outbox ({type(error).__name__}: {error})"[:300]
        return ""


_broker = _BrokerCheck()


def forget() -> None:
    """Drop what was found: the next call asks again (for tests)."""
    global _broker, _migrated
    _broker, _migrated = _BrokerCheck(), False


def _processes() -> str:
    expected: list[str] = getattr(settings, "EXPECTED_PROCESSES", ["relay", "consumer"])
    missing = heartbeats.stale(expected)
    silent = [f"no sign of life from {', '.join(missing)}: is it running?"] if missing else []
    return "; ".join([*silent, *heartbeats.findings(expected)])


def _outbox() -> str:
    findings = []
    with connection.cursor() as cursor:
        cursor.execute(OLDEST)
        age, refusal = cursor.fetchone() or (0, "")
    if age > OLD_EVENT_SECONDS:
        reason = refusal[:200] or "is the relay running?"
        findings.append(f"the oldest unsent event is {int(age)} s old: {reason}")
    waiting = OutboxEvent.objects.parked().count()
    if waiting:
        findings.append(f"{waiting} parked: `make outbox` lists them")
    return "; ".join(findings)


def _dead_letters() -> str:
    waiting = DeadLetter.objects.filter(state=DeadLetter.State.WAITING).count()
    return f"{waiting} wait: `make deadletters` lists them" if waiting else ""
