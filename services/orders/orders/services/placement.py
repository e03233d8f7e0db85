"""Placing an order: price it from the copy of the catalogue, insert it, publish OrderPlaced."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from pydantic import TypeAdapter
from uuid_utils.compat import uuid7

from orders.announcements import Change, announce_after_commit
from orders.errors import MixedCurrencies, OrderTooLarge, ProductUnavailable, TotalTooLarge
from orders.events import OrderPlaced, PlacedLine
from orders.models import MAX_TOTAL, Status
from servicekit.messaging.outbox import EventTooLarge, publish

# By hand: its text is the same for any number of products, so that PostgreSQL keeps one prepared
# plan. The ORM's `__in` builds a text of its own for each number, at four times the CPU.
FOR_SALE = """
    SELECT product_id, name, price, currency FROM catalogue_product
    WHERE product_id = ANY(%s) AND active AND NOT deleted
"""
# Order, lines and first history row in one statement: each round trip counts on this path
# (docs/adr/0021-place-order-in-one-statement.md).
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
LINES = TypeAdapter(list[PlacedLine])


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A product as it is asked for. It has neither price nor name: the shop sets those."""

    product_id: UUID
    quantity: int


def place_order(*, user_id: UUID, items: Sequence[OrderItem]) -> dict[str, Any]:
    """Accept an order at the catalogue's prices and publish OrderPlaced.

    Items of one product are summed in one line. Returns the order's columns, and `lines` with a row
    for each line, as `selectors.with_lines` reads them.

    Raises:
        ProductUnavailable: an item names no product that is for sale; nothing was placed.
        OrderTooLarge: its event would exceed 256 KiB: a thousand lines of products with long names.
        MixedCurrencies: the products are priced in several currencies.
        TotalTooLarge: together the lines cost more than `MAX_TOTAL`.
    """
    # No savepoint: a caller with a transaction open (for an idempotency key) undoes all of it.
    with transaction.atomic(savepoint=False):
        order = _priced(user_id, items)
        _insert(order)
        _publish(order)
        announce_after_commit([Change(order.order_id, user_id, 1, Status.PENDING.value)])
    return _row(order)


def _priced(user_id: UUID, items: Sequence[OrderItem]) -> OrderPlaced:
    lines, currency = _lines(items)
    total = sum((line.unit_price * line.quantity for line in lines), Decimal("0.00"))
    if total > MAX_TOTAL:
        raise _too_expensive()
    now = datetime.now(UTC)
    return OrderPlaced(
        order_id=uuid7(),
        user_id=user_id,
        lines=lines,
        total=total,
        currency=currency,
        placed_at=now,
        deadline=now + timedelta(seconds=settings.ORDER_DEADLINE_SECONDS),
    )


def _lines(items: Sequence[OrderItem]) -> tuple[list[PlacedLine], str]:
    """Return a line for each product, priced, and the currency of the prices."""
    quantities: Counter[UUID] = Counter()
    for item in items:
        quantities[item.product_id] += item.quantity
    with connection.cursor() as cursor:
        cursor.execute(FOR_SALE, [list(quantities)])
        for_sale = {product_id: rest for product_id, *rest in cursor.fetchall()}
    _refuse_unavailable(items, for_sale)
    currencies = {currency for _name, _price, currency in for_sale.values()}
    if len(currencies) > 1:
        raise MixedCurrencies(f"The lines are priced in {', '.join(sorted(currencies))}.")
    lines = []
    for product_id, quantity in quantities.items():
        name, unit_price, _currency = for_sale[product_id]
        line = PlacedLine(
            product_id=product_id, quantity=quantity, unit_price=unit_price, name=name
        )
        lines.append(line)
    return lines, currencies.pop()


def _refuse_unavailable(items: Sequence[OrderItem], for_sale: Mapping[UUID, Any]) -> None:
    missing = [
        {
            "pointer": f"/lines/{index}/product",
            "code": "product_unavailable",
            "detail": "Not for sale.",
        }
        for index, item in enumerate(items)
        if item.product_id not in for_sale
    ]
    if missing:
        raise ProductUnavailable("Some products are not for sale.", errors=missing)


def _too_expensive() -> TotalTooLarge:
    detail = f"An order may cost at most {MAX_TOTAL}. Place it in parts."
    error = {"pointer": "/lines", "code": TotalTooLarge.code, "detail": detail}
    return TotalTooLarge(detail, members={"maximum": str(MAX_TOTAL)}, errors=[error])


def _insert(order: OrderPlaced) -> None:
    lines = LINES.dump_json(order.lines).decode()
    parameters: list[Any] = [
        order.order_id,
        order.user_id,
        order.currency,
        order.total,
        order.placed_at,
        order.deadline,
        lines,
        order.placed_at,
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, parameters)


def _publish(order: OrderPlaced) -> None:
    try:
        publish(order, subject=str(order.order_id), sequence=1)
    except EventTooLarge as error:
        # In the outbox it could never leave, and the order would wait until it expires.
        raise OrderTooLarge("Place it in two orders.") from error


def _row(order: OrderPlaced) -> dict[str, Any]:
    """Return the order as reading it back would: what was just written need not be asked for."""
    return {
        "id": order.order_id,
        "user_id": order.user_id,
        "status": Status.PENDING.value,
        "total": order.total,
        "currency": order.currency,
        "lines": [
            {
                "product_id": line.product_id,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "line_total": line.unit_price * line.quantity,
            }
            for line in order.lines
        ],
        "shortages": None,
        "version": 1,
        "placed_at": order.placed_at,
        "settled_at": None,
    }
