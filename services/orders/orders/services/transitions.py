"""Orders change their state here and nowhere else, by one conditional statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from orders.announcements import Change, announce_after_commit
from orders.models import Status, states_before

# The rows are locked in id order, so that two batches cannot wait for each other; the condition is
# looked at again once a lock is held, so that the second of two finds the order moved and changes
# nothing. The same statement writes the history, so that neither exists without the other. The ORM
# has no UPDATE … RETURNING and no CTE: it would take four statements.
TRANSITION = """
    WITH cause AS (
        SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::jsonb[])
            AS t (order_id, event_id, shortages)
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
class Transition:
    """An order that has just changed its state, with its new `version`."""

    id: UUID
    user_id: UUID
    version: int
    total: Decimal
    currency: str


def transition_orders(
    causes: Mapping[UUID, UUID | None],
    to: Status,
    *,
    shortages: Mapping[UUID, Sequence[Mapping[str, Any]]] | None = None,
    note: str = "",
) -> dict[UUID, Transition]:
    """Move every order that may become `to`; return those that did, by id.

    `causes` maps each order to the id of the event that moves it, None where a person or the time
    does. Call it in the transaction that publishes the outcome.
    """
    order_ids = list(causes)
    parameters: list[Any] = [
        order_ids,
        list(causes.values()),
        [Jsonb(list(shortages[order_id])) if shortages else None for order_id in order_ids],
        order_ids,
        states_before(to),
        to.value,
        to.value,
        note,
    ]
    with connection.cursor() as cursor:
        cursor.execute(TRANSITION, parameters)
        moved = {row[0]: Transition(*row) for row in cursor.fetchall()}
    announce_after_commit(
        Change(order.id, order.user_id, order.version, to.value) for order in moved.values()
    )
    return moved
