"""Placing an order: price it from the copy of the catalogue, insert it, publish OrderPlaced."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from orders.announcements import Change, announce_after_commit
from orders.errors import (
    MixedCurrencies,
    OrderTooLarge,
    PriceChanged,
    ProductUnavailable,
    TotalTooLarge,
)
from orders.events import OrderPlaced, PlacedLine
from orders.models import MAX_TOTAL, Status
from orders.services import limits
from servicekit.messaging.outbox import EventTooLarge, publish

# By hand: its text is the same for any number of products, so that PostgreSQL keeps one prepared
# plan. The ORM's `__in` builds a text of its own for each number, at four times the CPU.
FOR_SALE = """
    SELECT product_id, name, price, currency, slug, sku FROM catalogue_product
    WHERE product_id = ANY(%s) AND active AND NOT deleted
"""
# Order, lines and first history row in one statement: each round trip counts on this path
# (docs/adr/0021-place-order-in-one-statement.md).
INSERT = """
    WITH placed AS (
        INSERT INTO orders (id, user_id, status, currency, total, version, placed_at, deadline)
        VALUES (%s, %s, 'pending', %s, %s, 1, %s, %s) RETURNING id, user_id, placed_at, serial
    ), lines AS (
        INSERT INTO order_line (order_id, product_id, name, slug, sku, unit_price, quantity)
        SELECT placed.id, t.* FROM placed, jsonb_to_recordset(%s::jsonb) AS t (
            product_id uuid, name text, slug text, sku text, unit_price numeric, quantity int
        )
    ), history AS (
        INSERT INTO order_history
            (order_id, version, from_status, to_status, actor, actor_id, note, at)
        SELECT id, 1, '', 'pending', 'customer', user_id, '', placed_at FROM placed
    )
"""
DETAILS = """
    , details AS (
        INSERT INTO order_details (order_id, shipping_address, billing_address, note)
        SELECT id, %s, %s, %s FROM placed
    )
"""
SERIAL = "SELECT serial FROM placed"
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A product as it is asked for. It has neither price nor name: the shop sets those."""

    product_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a customer may send with an order.

    Addresses are as `servicekit.postal.PostalAddress` reads them, and are kept by value.
    `expected_total` is what the customer was shown: at another total, nothing is placed.
    """

    shipping_address: Mapping[str, str] | None = None
    billing_address: Mapping[str, str] | None = None
    note: str = ""
    expected_total: Decimal | None = None

    @property
    def has_details(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.shipping_address or self.billing_address or self.note)


NO_TERMS = Terms()


def place_order(
    *, user_id: UUID, items: Sequence[OrderItem], terms: Terms = NO_TERMS
) -> dict[str, Any]:
    """Accept an order at the catalogue's prices and publish OrderPlaced.

    Items of one product are summed in one line. Returns the order's columns, and `lines` with a row
    for each line, as `selectors.with_lines` reads them.

    Raises:
        ProductUnavailable: an item names no product that is for sale; nothing was placed.
        OrderTooLarge: its event would exceed 256 KiB: a thousand lines of products with long names.
        MixedCurrencies: the products are priced in several currencies.
        TotalTooLarge: together the lines cost more than `MAX_TOTAL`.
        PriceChanged: they do not cost what the terms expect; the refusal names what they cost.
        TooManyUnits, TooManyPendingOrders: the customer would exceed a limit (services/limits.py).
    """
    quantities = _quantities(items)
    # No savepoint: a caller with a transaction open (for an idempotency key) undoes all of it.
    with transaction.atomic(savepoint=False):
        limits.hold(user_id=user_id, quantities=quantities)
        lines, currency = _lines(items, quantities)
        order = _order(user_id, lines, currency)
        _refuse_other_total(order, terms)
        serial = _insert(order, lines, terms)
        _publish(order)
        announce_after_commit([Change(order.order_id, user_id, 1, Status.PENDING.value)])
    return _row(order, serial, lines, terms)


def _quantities(items: Sequence[OrderItem]) -> Counter[UUID]:
    quantities: Counter[UUID] = Counter()
    for item in items:
        quantities[item.product_id] += item.quantity
    return quantities


def _order(user_id: UUID, lines: Sequence[Line], currency: str) -> OrderPlaced:
    total = sum((line["line_total"] for line in lines), Decimal("0.00"))
    if total > MAX_TOTAL:
        raise _too_expensive()
    now = datetime.now(UTC)
    return OrderPlaced(
        order_id=uuid7(),
        user_id=user_id,
        lines=[
            PlacedLine(
                product_id=line["product_id"],
                quantity=line["quantity"],
                unit_price=line["unit_price"],
                name=line["name"],
            )
            for line in lines
        ],
        total=total,
        currency=currency,
        placed_at=now,
        deadline=now + timedelta(seconds=settings.ORDER_DEADLINE_SECONDS),
    )


def _lines(items: Sequence[OrderItem], quantities: Mapping[UUID, int]) -> tuple[list[Line], str]:
    """Return a line for each product, as reading it back would give it, and their currency."""
    with connection.cursor() as cursor:
        cursor.execute(FOR_SALE, [list(quantities)])
        for_sale = {product_id: rest for product_id, *rest in cursor.fetchall()}
    _refuse_unavailable(items, for_sale)
    currencies = {product[2] for product in for_sale.values()}
    if len(currencies) > 1:
        raise MixedCurrencies(f"The lines are priced in {', '.join(sorted(currencies))}.")
    lines = [
        _line(product_id, quantity, *for_sale[product_id])
        for product_id, quantity in quantities.items()
    ]
    return lines, currencies.pop()


def _line(
    product_id: UUID, quantity: int, name: str, price: Decimal, currency: str, slug: str, sku: str
) -> Line:
    return {
        "product_id": product_id,
        "name": name,
        "slug": slug,
        "sku": sku,
        "quantity": quantity,
        "unit_price": price,
        "currency": currency,
        "line_total": price * quantity,
        "shipped": 0,
        "returned": 0,
    }


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


def _refuse_other_total(order: OrderPlaced, terms: Terms) -> None:
    if terms.expected_total in {None, order.total}:
        return
    raise PriceChanged(
        f"The order costs {order.total} {order.currency}; nothing was placed.",
        members={"total": f"{order.total:.2f}", "currency": order.currency},
    )


def _insert(order: OrderPlaced, lines: Sequence[Line], terms: Terms) -> int:
    """Insert the order; return its serial."""
    parameters: list[Any] = [
        order.order_id,
        order.user_id,
        order.currency,
        order.total,
        order.placed_at,
        order.deadline,
        orjson.dumps(lines, default=str).decode(),
    ]
    statement = INSERT
    if terms.has_details:
        statement += DETAILS
        parameters += [
            terms.shipping_address and Jsonb(terms.shipping_address),
            terms.billing_address and Jsonb(terms.billing_address),
            terms.note,
        ]
    with connection.cursor() as cursor:
        cursor.execute(statement + SERIAL, parameters)
        return int(cursor.fetchone()[0])


def _publish(order: OrderPlaced) -> None:
    try:
        publish(order, subject=str(order.order_id), sequence=1)
    except EventTooLarge as error:
        # In the outbox it could never leave, and the order would wait until it expires.
        raise OrderTooLarge("Place it in two orders.") from error


def _row(order: OrderPlaced, serial: int, lines: Sequence[Line], terms: Terms) -> dict[str, Any]:
    """Return the order as reading it back would: what was just written need not be asked for."""
    return {
        "id": order.order_id,
        "serial": serial,
        "user_id": order.user_id,
        "status": Status.PENDING.value,
        "total": order.total,
        "currency": order.currency,
        "lines": lines,
        "shortages": None,
        "shipping_address": terms.shipping_address,
        "billing_address": terms.billing_address,
        "note": terms.note,
        "version": 1,
        "placed_at": order.placed_at,
        "settled_at": None,
    }
