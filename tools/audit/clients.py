"""I7, I8: what a client was told is in the database, and a repeated request is one order."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from audit.result import Result
from audit.sources import Sources

TWICE = """
    SELECT caller::text, operation, key, count(*) FROM idempotency_key
    GROUP BY caller, operation, key HAVING count(*) > 1
"""
ONCE_INDEX = """
    SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'idempotency_key'
    AND indexdef LIKE 'CREATE UNIQUE INDEX%%(caller, operation, key)%%'
"""
# The answer is kept as the exact JSON; that of an accepted order is the order, or holds it. Staff
# who ship or take back are answered with an order, too: somebody else's, and each time anew.
ACCEPTED = """
    SELECT caller, key, coalesce(body -> 'order' ->> 'id', body ->> 'id') AS order_id
    FROM (SELECT caller, key, convert_from(body, 'UTF8')::jsonb AS body FROM idempotency_key
          WHERE status BETWEEN 200 AND 299 AND operation NOT IN ('ship_order', 'return_units')
    ) AS parsed
"""
ANSWERED = f"""
    WITH answered AS ({ACCEPTED})
    SELECT answered.caller::text, key, order_id, orders.user_id::text FROM answered
    LEFT JOIN orders ON orders.id::text = order_id
    WHERE order_id IS NOT NULL AND orders.user_id IS DISTINCT FROM answered.caller
"""  # noqa: S608  our own constant
SHARED = f"""
    WITH answered AS ({ACCEPTED})
    SELECT order_id, count(*) FROM answered WHERE order_id IS NOT NULL GROUP BY order_id
        HAVING count(*) > 1
"""  # noqa: S608  our own constant
#: kind in the client log → where the row must be
ROWS = {
    "order": ("orders", "SELECT id::text FROM orders WHERE id = ANY(%s)"),
    "cancel": ("orders", "SELECT id::text FROM orders WHERE status = 'cancelled' AND id = ANY(%s)"),
    "user": ("users", "SELECT id::text FROM account WHERE id = ANY(%s)"),
}


@dataclass
class _Told:
    """What the client logs say was accepted."""

    lines: int = 0
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    keys: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    restocks: set[tuple[str, str]] = field(default_factory=set)

    def add(self, entry: dict[str, Any]) -> None:
        self.lines += 1
        self.ids[entry["kind"]].add(entry["id"])
        if entry["kind"] == "stock":
            self.restocks.add((entry["id"], str(entry.get("reason"))))
        if entry["kind"] == "order" and entry.get("key"):
            self.keys[str(entry.get("account")), entry["key"]].add(entry["id"])


def answered_is_durable(sources: Sources, logs: Iterable[Path]) -> Result:
    """I7: every accepted write in the clients' logs exists."""
    told = _read_logs(logs)
    found = [line for kind in ROWS for line in _missing_rows(sources, kind, sorted(told.ids[kind]))]
    found += [
        f"{account} repeated {key} and was told {len(ids)} orders"
        for (account, key), ids in told.keys.items()
        if len(ids) > 1
    ]
    found += _missing_movements(sources, told.restocks)
    counts = ", ".join(f"{len(ids)} {kind}s" for kind, ids in sorted(told.ids.items()) if ids)
    return Result(
        "I7",
        "what was answered is there",
        f"{counts} in {told.lines} lines" if told.lines else "no client log",
        found,
        "an acknowledged write is gone: a database was restored, or ran with fsync or"
        " synchronous_commit off",
    )


def _read_logs(logs: Iterable[Path]) -> _Told:
    told = _Told()
    for log in logs:
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = _entry(line)
            if entry is not None:  # else the writer was killed in the middle of a line
                told.add(entry)
    return told


def _missing_rows(sources: Sources, kind: str, ids: list[str]) -> list[str]:
    if not ids:
        return []
    service, query = ROWS[kind]
    there = {
        row[0] for row in sources.database(service).rows(query, [[UUID(each) for each in ids]])
    }
    return [
        f"{kind} {each} was accepted, but is not in {service}" for each in ids if each not in there
    ]


def idempotency(sources: Sources) -> Result:
    """I8: per caller, operation and key one answer, and it names an order of that caller."""
    found = []
    for service in ("orders", "products"):
        database = sources.database(service)
        found += [
            f"{service}: {caller} has {count} answers to {operation} {key}"
            for caller, operation, key, count in database.rows(TWICE)
        ]
        if not database.number(ONCE_INDEX):
            found.append(
                f"{service}: the table idempotency_key has no unique index on caller, operation and"
                " key"
            )
    found += [
        f"key {key} of {caller} answers with order {order}, which is"
        f" {'missing' if owner is None else 'of ' + owner}"
        for caller, key, order, owner in sources.orders.rows(ANSWERED)
    ]
    found += [
        f"order {order} is the answer to {count} keys"
        for order, count in sources.orders.rows(SHARED)
    ]
    count = sources.orders.number("SELECT count(*) FROM idempotency_key")
    return Result(
        "I8",
        "a repeated request is one order",
        f"{count} keys",
        found,
        "run the migrations of orders",
    )


def _missing_movements(sources: Sources, restocks: set[tuple[str, str]]) -> list[str]:
    query = (
        "SELECT product_id::text, reason FROM stock_movement WHERE kind = 'adjustment' AND"
        " product_id = ANY(%s)"
    )
    products = [UUID(product) for product in {product for product, _ in restocks}]
    there = set(sources.products.rows(query, [products])) if products else set()
    return [
        f"restock of {product} ({reason}) was accepted, but is not in products"
        for product, reason in restocks - there
    ]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
        return entry if isinstance(entry, dict) and {"kind", "id"} <= entry.keys() else None
    except ValueError:
        return None
