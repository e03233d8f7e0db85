"""Every change of stock. Reserving is set-based: a batch of orders costs the same few statements as one order, and a hot product
one row change (docs/adr/0011-stock-is-taken-in-batches.md).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from products.errors import InsufficientStock, StockTooLarge
from products.events import (
    Line,
    OrderCancelled,
    OrderExpired,
    OrderPlaced,
    Reason,
    Shortage,
    StockRejected,
    StockReleased,
    StockReserved,
)
from products.models import MAX_STOCK, Product, Reservation, ReservationLine, StockMovement
from servicekit.outbox import Outgoing, publish_many
from servicekit.router import Received

Quantities = dict[UUID, int]

CLAIM = """
    INSERT INTO reservation (order_id, status, settled_at)
    SELECT order_id, %s, clock_timestamp() FROM unnest(%s::uuid[]) AS t (order_id)
    ON CONFLICT (order_id) DO NOTHING RETURNING order_id
"""
# Locks in id order, whatever the orders name and in whatever sequence: two batches can wait for each other but never in a circle.
LOCK_PRODUCTS = "SELECT id, stock, active FROM product WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
MOVE_STOCK = """
    UPDATE product SET stock = stock + delta FROM unnest(%s::uuid[], %s::int[]) AS t (product_id, delta)
    WHERE product.id = t.product_id
"""
# A conditional change decides by itself: whoever comes second finds nothing to release.
RELEASE = """
    UPDATE reservation SET status = 'released', settled_at = clock_timestamp()
    WHERE order_id = ANY(%s) AND status = 'reserved' RETURNING order_id
"""


@dataclass(slots=True)
class _Shelf:
    """One locked product while a batch is decided."""

    stock: int
    active: bool


def reserve_stock(*, received: Sequence[Received[OrderPlaced]]) -> None:
    """Take the stock of each order, all of it or none, in the sequence of the orders; publish reserved or rejected for each.

    An order that was decided before, or was cancelled before it came, changes nothing and answers nothing.
    """
    orders = {one.event.order_id: one for one in received}
    new = _claim(list(orders), Reservation.Status.RESERVED)
    decided = [one for order_id, one in orders.items() if order_id in new]
    if not decided:
        return
    wishes = {one.event.order_id: _sum_lines(one.event) for one in decided}
    shelves = _lock(wishes.values())
    shortages = {order_id: _decide(wish, shelves) for order_id, wish in wishes.items()}
    taken = {order_id: wish for order_id, wish in wishes.items() if not shortages[order_id]}
    _take(taken)
    _reject([order_id for order_id, short in shortages.items() if short])
    publish_many(_answer(one, wishes[one.event.order_id], shortages[one.event.order_id]) for one in decided)


def release_stock(*, received: Sequence[Received[OrderCancelled] | Received[OrderExpired]]) -> None:
    """Put the units of each order back, once; remember those that were not placed here yet, so that they take nothing later."""
    orders = {one.event.order_id: one for one in received}
    _claim(list(orders), Reservation.Status.VOID)
    with connection.cursor() as cursor:
        cursor.execute(RELEASE, [list(orders)])
        released = {row[0] for row in cursor.fetchall()}
    if not released:
        return
    held: dict[UUID, Quantities] = defaultdict(dict)
    rows = ReservationLine.objects.filter(reservation_id__in=released).order_by("id")
    for order_id, product_id, quantity in rows.values_list("reservation_id", "product_id", "quantity"):
        held[order_id][product_id] = quantity
    _lock(held.values())
    _move(held, StockMovement.Kind.RELEASE, sign=1)
    publish_many(
        _outgoing(one, StockReleased(order_id=order_id, lines=_lines(held[order_id])), sequence=2)
        for order_id, one in orders.items()
        if order_id in released
    )


def adjust_stock(*, product: Product, delta: int, reason: str, by: UUID) -> int:
    """Add `delta` units (negative: remove), write the ledger, return the new stock.

    Raises:
        InsufficientStock: fewer than `-delta` units are available; the refusal names how many.
        StockTooLarge: the stock would exceed a billion.
    """
    with transaction.atomic():
        locked = Product.objects.select_for_update().only("stock").get(pk=product.pk)
        if locked.stock + delta < 0:
            raise InsufficientStock(
                f"Only {locked.stock} are available.", members={"available": locked.stock}
            )
        if locked.stock + delta > MAX_STOCK:
            raise StockTooLarge(f"At most {MAX_STOCK} can be kept.", members={"available": locked.stock})
        locked.stock += delta
        locked.save(update_fields=["stock"])
        StockMovement.objects.create(
            product=locked, kind=StockMovement.Kind.ADJUSTMENT, quantity=delta, reason=reason, by=by
        )
    return locked.stock


def _claim(order_ids: list[UUID], status: Reservation.Status) -> set[UUID]:
    """Insert a reservation for each order that has none; return those orders. It waits for whoever is inserting the same."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [status.value, sorted(order_ids)])
        return {row[0] for row in cursor.fetchall()}


def _sum_lines(order: OrderPlaced) -> Quantities:
    total: Counter[UUID] = Counter()
    for line in order.lines:
        total[line.product_id] += line.quantity
    return dict(total)


def _lock(wishes: Iterable[Quantities]) -> dict[UUID, _Shelf]:
    product_ids = {product_id for wish in wishes for product_id in wish}
    with connection.cursor() as cursor:
        cursor.execute(LOCK_PRODUCTS, [list(product_ids)])
        return {row[0]: _Shelf(stock=row[1], active=row[2]) for row in cursor.fetchall()}


def _decide(wish: Quantities, shelves: dict[UUID, _Shelf]) -> list[Shortage]:
    """Return what is short; if nothing is, take the wish from the shelves."""
    short = []
    for product_id, quantity in wish.items():
        shelf = shelves.get(product_id)
        reason = _objection(shelf, quantity)
        if reason:
            available = shelf.stock if shelf and shelf.active else 0
            short.append(
                Shortage(product_id=product_id, requested=quantity, available=available, reason=reason)
            )
    if not short:
        for product_id, quantity in wish.items():
            shelves[product_id].stock -= quantity
    return short


def _objection(shelf: _Shelf | None, quantity: int) -> Reason | None:
    if shelf is None:
        return "unknown_product"
    if not shelf.active:
        return "inactive_product"
    return "insufficient_stock" if shelf.stock < quantity else None


def _take(taken: dict[UUID, Quantities]) -> None:
    if not taken:
        return
    ReservationLine.objects.bulk_create(
        ReservationLine(reservation_id=order_id, product_id=product_id, quantity=quantity)
        for order_id, wish in taken.items()
        for product_id, quantity in wish.items()
    )
    _move(taken, StockMovement.Kind.RESERVATION, sign=-1)


def _move(orders: dict[UUID, Quantities], kind: StockMovement.Kind, *, sign: int) -> None:
    """Change the stock by all orders together, one row change a product, and write the ledger a row each."""
    total: Counter[UUID] = Counter()
    for wish in orders.values():
        for product_id, quantity in wish.items():
            total[product_id] += sign * quantity
    with connection.cursor() as cursor:
        cursor.execute(MOVE_STOCK, [list(total.keys()), list(total.values())])
    StockMovement.objects.bulk_create(
        StockMovement(product_id=product_id, kind=kind, quantity=sign * quantity, order_id=order_id)
        for order_id, wish in orders.items()
        for product_id, quantity in wish.items()
    )


def _reject(order_ids: list[UUID]) -> None:
    if order_ids:
        Reservation.objects.filter(pk__in=order_ids).update(
            status=Reservation.Status.REJECTED, settled_at=timezone.now()
        )


def _answer(one: Received[OrderPlaced], wish: Quantities, short: list[Shortage]) -> Outgoing:
    order_id = one.event.order_id
    if short:
        return _outgoing(one, StockRejected(order_id=order_id, shortages=short), sequence=1)
    return _outgoing(one, StockReserved(order_id=order_id, lines=_lines(wish)), sequence=1)


def _outgoing(
    one: Received[Any], event: StockReserved | StockRejected | StockReleased, *, sequence: int
) -> Outgoing:
    envelope = one.envelope
    return Outgoing(event, str(event.order_id), sequence, envelope.id, envelope.traceparent)


def _lines(wish: Quantities) -> list[Line]:
    return [Line(product_id=product_id, quantity=quantity) for product_id, quantity in wish.items()]
