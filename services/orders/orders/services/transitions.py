"""Orders change their state here and nowhere else: one conditional statement, one history row per change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from orders.models import Status, states_before

# The rows are locked in id order, and the condition is looked at again once the lock is held: whoever comes second finds the
# order moved and changes nothing. History is written by the same statement, so neither exists without the other.
MOVE = """
    WITH cause AS (
        SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::jsonb[]) AS t (order_id, event_id, shortages)
    ), old AS (
        SELECT orders.id, orders.status FROM orders
        WHERE orders.id = ANY(%s) AND orders.status = ANY(%s) ORDER BY orders.id FOR UPDATE
    ), moved AS (
        UPDATE orders SET status = %s, version = orders.version + 1, shortages = cause.shortages,
            settled_at = coalesce(orders.settled_at, clock_timestamp())
        FROM old JOIN cause ON cause.order_id = old.id WHERE orders.id = old.id
        RETURNING orders.id, orders.user_id, orders.version, orders.total, orders.currency,
                  old.status AS from_status, cause.event_id
    ), written AS (
        INSERT INTO order_history (order_id, version, from_status, to_status, event_id, note, at)
        SELECT id, version, from_status, %s, event_id, %s, clock_timestamp() FROM moved
    )
    SELECT id, user_id, version, total, currency FROM moved ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """An order that has just changed its state."""

    id: UUID
    user_id: UUID
    version: int
    total: Decimal
    currency: str


def move_orders(
    causes: Mapping[UUID, UUID | None],
    to: Status,
    *,
    shortages: Mapping[UUID, Sequence[Mapping[str, Any]]] | None = None,
    note: str = "",
) -> dict[UUID, Moved]:
    """Move every order that may go to `to`; return those that did. `causes` maps each order to the event that wants it.

    Call it in the transaction that publishes the outcome.
    """
    order_ids = list(causes)
    reasons = [Jsonb(list(shortages[one])) if shortages else None for one in order_ids]
    parameters: list[Any] = [
        order_ids,
        list(causes.values()),
        reasons,
        order_ids,
        states_before(to),
        to.value,
        to.value,
        note,
    ]
    with connection.cursor() as cursor:
        cursor.execute(MOVE, parameters)
        return {row[0]: Moved(*row) for row in cursor.fetchall()}
