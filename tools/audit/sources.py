"""What the audit reads: one read-only snapshot of each database, and the broker's queues."""

import base64
import json
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psycopg

from shopper.ops import Ops

SERVICES = ("users", "products", "orders")
POLL_SECONDS = 0.5
Row = tuple[Any, ...]


class Database:
    """One database; `snapshot()` begins a new read-only view of it."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(
            url,
            autocommit=False,
            application_name="souk-audit",
            options="-c statement_timeout=120000",
        )
        self._connection.read_only = True
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    def snapshot(self) -> None:
        self._connection.rollback()
        self._connection.execute("SELECT 1")

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        return self._connection.execute(query, parameters).fetchall()

    def number(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        return int(self.rows(query, parameters)[0][0])

    def close(self) -> None:
        self._connection.close()


class Broker:
    """The management API of the stack's virtual host."""

    def __init__(self, api_url: str, vhost: str) -> None:
        parts = urlsplit(api_url)
        self._base = f"{parts.scheme}://{parts.hostname}:{parts.port}"
        credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._authorization = "Basic " + base64.b64encode(credentials.encode()).decode()
        self._vhost = quote(vhost, safe="")

    def depths(self) -> dict[str, int]:
        """Return how many messages each queue holds, delivered messages included."""
        return {
            each["name"]: int(each.get("messages", 0))
            for each in self._get(f"/api/queues/{self._vhost}")
        }

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(
            self._base + path, headers={"Authorization": self._authorization}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@dataclass
class Sources:
    """The three databases, the broker, and who subscribes to what (queue → event types)."""

    users: Database
    products: Database
    orders: Database
    broker: Broker
    subscriptions: Mapping[str, Sequence[str]]
    settle_seconds: float = 45.0

    def database(self, service: str) -> Database:
        found: Database = getattr(self, service)
        return found

    @property
    def databases(self) -> dict[str, Database]:
        return {service: self.database(service) for service in SERVICES}

    def snapshot(self) -> None:
        for database in self.databases.values():
            database.snapshot()

    def __enter__(self) -> "Sources":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for database in self.databases.values():
            database.close()


def open_sources(ops: Ops, topology: Path, settle_seconds: float) -> Sources:
    """Connect to everything.

    Raises:
        StackUnknown, psycopg.OperationalError: there is no stack, or a part of it is away.
    """
    vhost = unquote(urlsplit(ops["OPS_BROKER_URL"]).path.removeprefix("/")) or "/"
    databases = {
        service: Database(ops[f"OPS_DATABASE_URL_{service.upper()}"]) for service in SERVICES
    }
    broker = Broker(ops["OPS_BROKER_API_URL"], vhost)
    return Sources(
        **databases,
        broker=broker,
        subscriptions=subscriptions_of(topology),
        settle_seconds=settle_seconds,
    )


def subscriptions_of(topology: Path) -> dict[str, list[str]]:
    """Return queue → event types from deploy/topology.json."""
    services = json.loads(topology.read_text(encoding="utf-8"))
    return {
        queue: types for service in services.values() for queue, types in service["queues"].items()
    }


UNSENT = "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND parked_at IS NULL"
PENDING = "SELECT count(*) FROM orders WHERE status = 'pending'"


def wait_for_rest(sources: Sources) -> bool:
    """Wait until no order is pending, no event unsent and no work queue holds anything; False if it
    did not come in time.

    It must look so twice in a row: the queues' figures are a few seconds old, and an event can be
    between two of the places.
    """
    deadline = time.monotonic() + sources.settle_seconds
    quiet = 0
    while quiet < 2:
        quiet = quiet + 1 if _is_at_rest(sources) else 0
        if quiet < 2:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
    return True


def _is_at_rest(sources: Sources) -> bool:
    sources.snapshot()
    if sources.orders.number(PENDING) or any(
        each.number(UNSENT) for each in sources.databases.values()
    ):
        return False
    depths = sources.broker.depths()
    return not any(
        depth for queue, depth in depths.items() if is_work_queue(queue, sources.subscriptions)
    )


def is_work_queue(queue: str, subscriptions: Mapping[str, Sequence[str]]) -> bool:
    """Whether events that still have to take effect may lie in the queue: a work queue, or where
    retries and dead letters wait.
    """
    return queue in subscriptions or ".retry." in queue or queue.endswith(".dead")
