"""Every write to orders. Place, confirm, reject, cancel, expire: what an order can live through."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from orders import events
from orders.errors import (
    MixedCurrencies,
    NotCancellable,
    OrderTooLarge,
    ProductUnavailable,
    TotalTooLarge,
)
from orders.models import MAX_TOTAL, Order, OrderLine, Status
from orders.selectors import order_body
from orders.transitions import Moved, move_orders
from servicekit.http import idempotency
from servicekit.http.idempotency import IdempotentRequest, Replay
from servicekit.messaging.outbox import EventTooLarge, Outgoing, publish, publish_many
from servicekit.messaging.router import Received

EXPIRE_AT_ONCE = 500

FOR_SALE = """
    SELECT product_id, name, price, currency FROM catalogue_product
    WHERE product_id = ANY(%s) AND active AND NOT deleted
"""
# Order, lines and first history row in one statement: each round trip counts on this path (docs/adr/0021-place-order-in-one-statement.md).
INSERT = """
    WITH placed AS (
        INSERT INTO orders (id, user_id, status, currency, total, version, placed_at, deadline)
        VALUES (%s, %s, 'pending', %s, %s, 1, %s, %s) RETURNING id
    ), lines AS (
        INSERT INTO order_line (order_id, product_id, name, unit_price, quantity)
        SELECT placed.id, t.* FROM placed, jsonb_to_recordset(%s::jsonb)
            AS t (product_id uuid, name text, unit_price numeric, quantity int)
    )
    INSERT INTO order_history (order_id, version, from_status, to_status, note, at)
    SELECT id, 1, '', 'pending', '', %s FROM placed
"""
# statement_timestamp(): for clock_timestamp(), which may change from row to row, every pending order would be looked at.
OVERDUE = """
    SELECT id FROM orders WHERE status = 'pending' AND deadline < statement_timestamp()
    ORDER BY deadline LIMIT %s FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class WishedLine:
    """What the customer asked for in one line. Neither price nor name: those are the shop's."""

    product_id: UUID
    quantity: int


def place_order(
    *,
    user_id: UUID,
    lines: Sequence[WishedLine],
    idempotent: IdempotentRequest | None = None,
    is_awaited: bool = False,
) -> dict[str, Any] | Replay:
    """Accept an order at the catalogue's prices and publish OrderPlaced; return its body, or the first answer to the same key.

    Lines of one product are summed. The idempotency key commits with the order; its answer stays open where the outcome `is_awaited`.

    Raises:
        ProductUnavailable: a line names no product that is for sale; nothing was placed.
        OrderTooLarge: its event would exceed 256 KiB: a thousand lines of products with long names.
        MixedCurrencies: the products are priced in several currencies.
        TotalTooLarge: together the lines cost more than `MAX_TOTAL`.
        KeyReused: the key was used with another request.
    """
    with transaction.atomic():
        replay = idempotent.claim() if idempotent else None
        if replay:
            return replay
        priced = _price(lines)
        body = _insert(user_id, priced)
        if idempotent:
            idempotent.store(status=idempotency.OPEN if is_awaited else 201, body=body)
    return body


def confirm_orders(*, received: Sequence[Received[events.StockReserved]]) -> None:
    """Confirm the orders whose stock is reserved. One that was cancelled or expired meanwhile stays so: its own event releases."""
    causes = {one.event.order_id: one for one in received}
    moved = move_orders({key: one.envelope.id for key, one in causes.items()}, Status.CONFIRMED)
    lines = _lines_of(moved)
    publish_many(_outgoing(_confirmed(one, lines[one.id]), one, causes[one.id]) for one in moved.values())


def reject_orders(*, received: Sequence[Received[events.StockRejected]]) -> None:
    """Reject the orders that could not have their stock, and keep what was short."""
    causes = {one.event.order_id: one for one in received}
    shortages = {
        key: [short.model_dump(mode="json") for short in one.event.shortages] for key, one in causes.items()
    }
    envelopes = {key: one.envelope.id for key, one in causes.items()}
    moved = move_orders(envelopes, Status.REJECTED, shortages=shortages)
    publish_many(_outgoing(_rejected(one, shortages[one.id]), one, causes[one.id]) for one in moved.values())


def cancel_order(*, order_id: UUID, by_staff: bool = False) -> None:
    """Take a pending or confirmed order back; cancelling a cancelled one changes nothing.

    Raises:
        NotCancellable: it is rejected, expired, shipped or delivered.
    """
    reason: Literal["staff", "customer"] = "staff" if by_staff else "customer"
    with transaction.atomic():
        moved = move_orders({order_id: None}, Status.CANCELLED, note=f"by {reason}")
        for one in moved.values():
            event = events.OrderCancelled(order_id=one.id, user_id=one.user_id, reason=reason)
            publish(event, subject=str(one.id), sequence=one.version)
        if not moved:
            status = Order.objects.values_list("status", flat=True).get(pk=order_id)
            if status != Status.CANCELLED:
                raise NotCancellable(f"The order is {status}.", members={"order_status": status})


def expire_all_overdue(*, seconds: float) -> int:
    """Expire pending orders, a batch and a transaction at a time, until none is overdue or `seconds` are over; return how many."""
    until = time.monotonic() + seconds
    total = expired = expire_overdue_orders()
    while expired >= EXPIRE_AT_ONCE and time.monotonic() < until:
        expired = expire_overdue_orders()
        total += expired
    return total


def expire_overdue_orders(*, at_most: int = EXPIRE_AT_ONCE) -> int:
    """Expire a batch of pending orders that are past their deadline; return how many. Two sweeps at once share the work."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(OVERDUE, [at_most])
            overdue = [row[0] for row in cursor.fetchall()]
        moved = (
            move_orders(dict.fromkeys(overdue), Status.EXPIRED, note="past its deadline") if overdue else {}
        )
        publish_many(
            Outgoing(events.OrderExpired(order_id=one.id, user_id=one.user_id), str(one.id), one.version)
            for one in moved.values()
        )
    return len(moved)


@dataclass(frozen=True, slots=True)
class _PricedLine:
    product_id: UUID
    name: str
    unit_price: Decimal
    quantity: int


@dataclass(frozen=True, slots=True)
class _Priced:
    lines: list[_PricedLine]
    currency: str

    @property
    def total(self) -> Decimal:
        return sum((line.unit_price * line.quantity for line in self.lines), Decimal("0.00"))


def _price(lines: Sequence[WishedLine]) -> _Priced:
    quantities: Counter[UUID] = Counter()
    for line in lines:
        quantities[line.product_id] += line.quantity
    with connection.cursor() as cursor:
        cursor.execute(FOR_SALE, [list(quantities)])
        known = {row[0]: row for row in cursor.fetchall()}
    _refuse_unknown(lines, known)
    currencies = {row[3] for row in known.values()}
    if len(currencies) > 1:
        raise MixedCurrencies(f"The lines are priced in {', '.join(sorted(currencies))}.")
    priced = [_PricedLine(key, known[key][1], known[key][2], number) for key, number in quantities.items()]
    return _bounded(_Priced(priced, currencies.pop()))


def _bounded(priced: _Priced) -> _Priced:
    if priced.total > MAX_TOTAL:
        detail = f"An order may cost at most {MAX_TOTAL}. Place it in parts."
        where = {"pointer": "/lines", "code": TotalTooLarge.code, "detail": detail}
        raise TotalTooLarge(detail, members={"maximum": str(MAX_TOTAL)}, errors=[where])
    return priced


def _refuse_unknown(lines: Sequence[WishedLine], known: Mapping[UUID, Any]) -> None:
    missing = [
        {"pointer": f"/lines/{index}/product", "code": "product_unavailable", "detail": "Not for sale."}
        for index, line in enumerate(lines)
        if line.product_id not in known
    ]
    if missing:
        raise ProductUnavailable("Some products are not for sale.", errors=missing)


def _insert(user_id: UUID, priced: _Priced) -> dict[str, Any]:
    order_id, now = uuid7(), datetime.now(UTC)
    deadline = now + timedelta(seconds=settings.ORDER_DEADLINE_SECONDS)
    lines = orjson.dumps(priced.lines, default=str).decode()
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [order_id, user_id, priced.currency, priced.total, now, deadline, lines, now])
    event = events.OrderPlaced(
        order_id=order_id,
        user_id=user_id,
        lines=[
            events.PlacedLine(
                product_id=one.product_id, quantity=one.quantity, unit_price=one.unit_price, name=one.name
            )
            for one in priced.lines
        ],
        total=priced.total,
        currency=priced.currency,
        placed_at=now,
        deadline=deadline,
    )
    try:
        publish(event, subject=str(order_id), sequence=1)
    except EventTooLarge as error:
        raise OrderTooLarge("Place it in two orders.") from error
    return order_body(
        {
            "id": order_id,
            "user_id": user_id,
            "status": Status.PENDING.value,
            "total": priced.total,
            "currency": priced.currency,
            "version": 1,
            "placed_at": now,
            "settled_at": None,
            "shortages": None,
        },
        [(one.product_id, one.name, one.quantity, one.unit_price) for one in priced.lines],
    )


def _lines_of(moved: Mapping[UUID, Moved]) -> dict[UUID, list[events.Line]]:
    lines: dict[UUID, list[events.Line]] = {order_id: [] for order_id in moved}
    rows = (
        OrderLine.objects.filter(order_id__in=list(moved)).order_by("id")
        if moved
        else OrderLine.objects.none()
    )
    for order_id, product_id, quantity in rows.values_list("order_id", "product_id", "quantity"):
        lines[order_id].append(events.Line(product_id=product_id, quantity=quantity))
    return lines


def _confirmed(one: Moved, lines: list[events.Line]) -> events.OrderConfirmed:
    return events.OrderConfirmed(
        order_id=one.id, user_id=one.user_id, lines=lines, total=one.total, currency=one.currency
    )


def _rejected(one: Moved, shortages: Sequence[Mapping[str, Any]]) -> events.OrderRejected:
    short = [events.Shortage.model_validate(row) for row in shortages]
    return events.OrderRejected(order_id=one.id, user_id=one.user_id, shortages=short)


def _outgoing(
    event: events.OrderConfirmed | events.OrderRejected, one: Moved, cause: Received[Any]
) -> Outgoing:
    return Outgoing(event, str(one.id), one.version, cause.envelope.id, cause.envelope.traceparent)
