"""Orders change their state here and nowhere else, by one conditional statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from orders.announcements import Change, announce_after_commit
from orders.models import Actor, Order, OrderHistory, Status, states_before
from orders.models.numbers import number_of

# The rows are locked in id order, so that two batches cannot wait for each other; the condition is
# looked at again once a lock is held, so that the second of two finds the order moved and changes
# nothing. The same statement writes the history, so that neither exists without the other. The ORM
# has no UPDATE … RETURNING and no CTE: it would take four statements. What was shipped in part is
# not cancelled; that is a column of the locked row, so that the second look sees it, too.
TRANSITION = """
    WITH cause AS (
        SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::jsonb[])
            AS t (order_id, event_id, shortages)
    ), old AS (
        SELECT orders.id, orders.status FROM orders
        WHERE orders.id = ANY(%s) AND orders.status = ANY(%s)
            AND (orders.shipment_count = 0 OR %s <> 'cancelled')
        ORDER BY orders.id FOR UPDATE
    ), moved AS (
        UPDATE orders SET status = %s, version = orders.version + 1, shortages = cause.shortages,
            settled_at = coalesce(orders.settled_at, clock_timestamp())
        FROM old JOIN cause ON cause.order_id = old.id WHERE orders.id = old.id
        RETURNING orders.id, orders.user_id, orders.version, orders.total, orders.currency,
                  orders.serial, old.status AS from_status, cause.event_id
    ), written AS (
        INSERT INTO order_history
            (order_id, version, from_status, to_status, event_id, actor, actor_id, note, at)
        SELECT id, version, from_status, %s, event_id, actor,
            CASE actor WHEN 'customer' THEN user_id ELSE actor_id END, note, clock_timestamp()
        FROM moved, (SELECT %s::text, %s::uuid, %s::text) AS who (actor, actor_id, note)
    )
    SELECT id, user_id, version, total, currency, serial FROM moved ORDER BY id
"""


class By(NamedTuple):
    """Who takes a step; a customer is the order's own, whose id need not be said."""

    actor: Actor
    id: UUID | None = None


BY_CUSTOMER, BY_STOCK, BY_TIME = By(Actor.CUSTOMER), By(Actor.STOCK), By(Actor.TIME)
BY_PAYMENT = By(Actor.PAYMENT)


@dataclass(frozen=True, slots=True)
class Transition:
    """An order that has just changed its state, with its new `version`."""

    id: UUID
    user_id: UUID
    version: int
    total: Decimal
    currency: str
    serial: int

    @property
    def number(self) -> str:
        """The order's number, for people."""
        return number_of(self.serial)


def transition_orders(
    causes: Mapping[UUID, UUID | None],
    to: Status,
    *,
    by: By,
    shortages: Mapping[UUID, Sequence[Mapping[str, Any]]] | None = None,
    note: str = "",
) -> dict[UUID, Transition]:
    """Move every order that may become `to`; return those that did, by id.

    `causes` maps each order to the id of the event that moves it, None where a person or the time
    does; `note` says why. Call it in the transaction that publishes the outcome.
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
        to.value,
        by.actor.value,
        by.id,
        note,
    ]
    with connection.cursor() as cursor:
        cursor.execute(TRANSITION, parameters)
        moved = {row[0]: Transition(*row) for row in cursor.fetchall()}
    announce_after_commit(
        Change(order.id, order.user_id, order.version, to.value) for order in moved.values()
    )
    return moved


def record_step(order: Order, *, to: Status, by: By, note: str, shipments: int = 0) -> int:
    """Write a step of an order that the caller has locked; return the new version.

    `to` is another state that its own may become, or its own: units moved, and the state stays.
    """
    moved_from = Status(order.status)
    if to != moved_from and moved_from.value not in states_before(to):
        raise ValueError(f"{moved_from} does not become {to}")
    order.status = to
    order.version += 1
    order.shipment_count += shipments
    order.save(update_fields=["status", "version", "shipment_count"])
    OrderHistory.objects.create(
        order=order,
        version=order.version,
        from_status=moved_from,
        to_status=to,
        actor=by.actor,
        actor_id=by.id,
        note=note,
    )
    announce_after_commit([Change(order.pk, order.user_id, order.version, to.value)])
    return order.version
