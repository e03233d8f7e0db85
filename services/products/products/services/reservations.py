"""What orders take of the stock and give back.

Set-based: a batch of orders costs the same few statements as a single order, and a hot product one
row change (docs/adr/0011-stock-is-taken-in-batches.md).

Rows are locked in one sequence for the whole batch, reservations first and then products, each in
id order: two consumers can wait for each other but never in a circle.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count
from django.utils import timezone

from products.events import OrderCancelled, OrderExpired, OrderPlaced, Reason, Shortage
from products.models import Product, Reservation, ReservationLine, StockMovement
from products.services import alerts, stock_answers
from products.services.alerts import StockChange
from products.services.stock_answers import Quantities
from servicekit import context
from servicekit.messaging.outbox import publish_many
from servicekit.messaging.router import Received, RowsLocked

Ended = OrderCancelled | OrderExpired
OrderEvents = Sequence[Received[Any]]

# Which orders were new is known from RETURNING alone, and the ORM returns nothing for rows in
# conflict.
CLAIM = """
    INSERT INTO reservation (order_id, status, settled_at)
    SELECT order_id, status, clock_timestamp()
    FROM unnest(%s::uuid[], %s::text[]) AS t (order_id, status) ORDER BY order_id
    ON CONFLICT (order_id) DO NOTHING RETURNING order_id
"""
# An array is one statement and one plan, however many products a batch names; the ORM's IN is
# another statement for each number of them.
LOCK_PRODUCTS = """
    SELECT id, stock, active, low_stock_threshold FROM product
    WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
LOCK_FREE_PRODUCTS = LOCK_PRODUCTS + " SKIP LOCKED"
# Arrays, not a row of parameters for each line: PostgreSQL takes 65,535 parameters in a statement,
# and a batch may hold more lines than that.
INSERT_LINES = """
    INSERT INTO reservation_line (reservation_id, product_id, quantity)
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int[])
"""
# A different change for each row, in one statement: the ORM would write a CASE over all of them.
CHANGE_STOCK = """
    UPDATE product SET stock = stock + delta
    FROM unnest(%s::uuid[], %s::bigint[]) AS t (product_id, delta)
    WHERE product.id = t.product_id
"""
INSERT_LEDGER = """
    INSERT INTO stock_movement (order_id, product_id, quantity, kind, reason)
    SELECT order_id, product_id, quantity, kind, ''
    FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::text[])
        AS t (order_id, product_id, quantity, kind)
"""


@dataclass(slots=True)
class _LockedProduct:
    """A locked product while a batch is decided."""

    before: int
    stock: int
    active: bool
    threshold: int


def settle_orders(*, received: OrderEvents) -> None:
    """Put back what ended orders hold, take what placed orders ask for, publish each outcome.

    An order takes all of its lines or none, in the sequence of arrival. Ended orders go first, also
    before their own placing: no live order is refused for the sake of a dead order. An order that
    is past its deadline takes nothing and gets no answer, since it expires
    (docs/adr/0020-order-deadline.md); an order that was decided before changes nothing.
    """
    placed = {item.event.order_id: item for item in received if isinstance(item.event, OrderPlaced)}
    ended = {
        item.event.order_id: item for item in received if not isinstance(item.event, OrderPlaced)
    }
    new = _claim(placed.values(), ended)
    to_decide = {
        order_id: _quantities(placed[order_id].event) for order_id in placed if order_id in new
    }
    to_release = _held_quantities(_lock_reserved(ended))
    products = _lock_products(to_decide | to_release, placed | ended)
    _give_back(to_release, products)
    shortages = {order_id: _decide(wanted, products) for order_id, wanted in to_decide.items()}
    taken = {order_id: wanted for order_id, wanted in to_decide.items() if not shortages[order_id]}
    _record(
        taken=taken,
        released=to_release,
        rejected=[key for key, short in shortages.items() if short],
    )
    alerts.note_changes(
        StockChange(product_id, product.before, product.stock, product.threshold)
        for product_id, product in products.items()
    )
    publish_many(
        stock_answers.released(ended[order_id], held) for order_id, held in to_release.items()
    )
    publish_many(
        stock_answers.decided(placed[order_id], wanted, shortages[order_id])
        for order_id, wanted in to_decide.items()
    )


def rows_of(received: OrderEvents) -> list[int]:
    """Return how many lines each event will write: those it names, or that its order holds."""
    ended = [item.event.order_id for item in received if not isinstance(item.event, OrderPlaced)]
    held: Mapping[UUID, int] = {}
    if ended:
        lines = ReservationLine.objects.filter(reservation_id__in=ended).order_by()
        held = dict(lines.values_list("reservation_id").annotate(number=Count("id")))
    return [
        len(item.event.lines)
        if isinstance(item.event, OrderPlaced)
        else held.get(item.event.order_id, 1)
        for item in received
    ]


def _claim(
    placed: Iterable[Received[OrderPlaced]], ended: Mapping[UUID, Received[Ended]]
) -> set[UUID]:
    """Insert a reservation for each order that has none; return the orders to decide.

    Orders that are ended or overdue are claimed as void: they will take nothing. A transaction that
    is inserting the same order is waited for.
    """
    now = timezone.now()
    claims = dict.fromkeys(ended, Reservation.Status.VOID)
    for item in placed:
        overdue = item.event.deadline <= now
        status = Reservation.Status.VOID if overdue else Reservation.Status.RESERVED
        claims.setdefault(item.event.order_id, status)
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [list(claims), [status.value for status in claims.values()]])
        return {
            row[0] for row in cursor.fetchall() if claims[row[0]] is Reservation.Status.RESERVED
        }


def _lock_reserved(order_ids: Iterable[UUID]) -> list[UUID]:
    """Lock those of the orders that hold stock, in id order; a repeat finds nothing to release."""
    orders = list(order_ids)
    if not orders:
        return []
    reserved = Reservation.objects.filter(pk__in=orders, status=Reservation.Status.RESERVED)
    return list(reserved.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))


def _held_quantities(order_ids: Sequence[UUID]) -> dict[UUID, Quantities]:
    held: dict[UUID, Quantities] = defaultdict(dict)
    if order_ids:
        rows = ReservationLine.objects.filter(reservation_id__in=order_ids).order_by("id")
        for order_id, product_id, quantity in rows.values_list(
            "reservation_id", "product_id", "quantity"
        ):
            held[order_id][product_id] = quantity
    return held


def _quantities(order: OrderPlaced) -> Quantities:
    total: Counter[UUID] = Counter()
    for line in order.lines:
        total[line.product_id] += line.quantity
    return dict(total)


def _lock_products(
    orders: Mapping[UUID, Quantities], received: Mapping[UUID, Received[Any]]
) -> dict[UUID, _LockedProduct]:
    """Lock every product of the batch in id order; the result lacks those that do not exist.

    Raises:
        RowsLocked: `context.avoid_locks` is set, and these orders need a product that another
            transaction has locked.
    """
    wanted = {product_id for quantities in orders.values() for product_id in quantities}
    if not wanted:
        return {}
    statement = LOCK_FREE_PRODUCTS if context.avoid_locks.get() else LOCK_PRODUCTS
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(wanted)])
        products = {
            row[0]: _LockedProduct(before=row[1], stock=row[1], active=row[2], threshold=row[3])
            for row in cursor.fetchall()
        }
    if context.avoid_locks.get() and len(products) < len(wanted):
        _refuse_locked(wanted - products.keys(), orders, received)
    return products


def _refuse_locked(
    missing: set[UUID], orders: Mapping[UUID, Quantities], received: Mapping[UUID, Received[Any]]
) -> None:
    locked = set(Product.objects.filter(pk__in=missing).values_list("pk", flat=True))
    waiting = {order_id for order_id, quantities in orders.items() if locked & quantities.keys()}
    if waiting:
        raise RowsLocked({received[order_id].envelope.id for order_id in waiting})


def _give_back(released: Mapping[UUID, Quantities], products: dict[UUID, _LockedProduct]) -> None:
    for quantities in released.values():
        for product_id, quantity in quantities.items():
            products[product_id].stock += quantity


def _decide(wanted: Quantities, products: dict[UUID, _LockedProduct]) -> list[Shortage]:
    """Return what is short; if nothing is, take the quantities from the products."""
    short = []
    for product_id, quantity in wanted.items():
        product = products.get(product_id)
        reason = _shortage_reason(product, quantity)
        if reason:
            available = product.stock if product and product.active else 0
            short.append(
                Shortage(
                    product_id=product_id, requested=quantity, available=available, reason=reason
                )
            )
    if not short:
        for product_id, quantity in wanted.items():
            products[product_id].stock -= quantity
    return short


def _shortage_reason(product: _LockedProduct | None, quantity: int) -> Reason | None:
    if product is None:
        return "unknown_product"
    if not product.active:
        return "inactive_product"
    return "insufficient_stock" if product.stock < quantity else None


def _record(
    *,
    taken: Mapping[UUID, Quantities],
    released: Mapping[UUID, Quantities],
    rejected: Sequence[UUID],
) -> None:
    """Write the outcome: statuses, lines, one change a product, a ledger row for each line."""
    _set_status(list(released), Reservation.Status.RELEASED)
    _set_status(rejected, Reservation.Status.REJECTED)
    lines = [
        (order, product, quantity)
        for order, held in taken.items()
        for product, quantity in held.items()
    ]
    returns = [
        (order, product, quantity)
        for order, held in released.items()
        for product, quantity in held.items()
    ]
    movements = [(*line[:2], -line[2], StockMovement.Kind.RESERVATION.value) for line in lines]
    movements += [(*line, StockMovement.Kind.RELEASE.value) for line in returns]
    if not movements:
        return
    change: Counter[UUID] = Counter()
    for _, product_id, quantity, _ in movements:
        change[product_id] += quantity
    with connection.cursor() as cursor:
        if lines:
            cursor.execute(INSERT_LINES, _columns(lines))
        cursor.execute(CHANGE_STOCK, [list(change.keys()), list(change.values())])
        cursor.execute(INSERT_LEDGER, _columns(movements))


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _set_status(order_ids: Sequence[UUID], status: Reservation.Status) -> None:
    if order_ids:
        Reservation.objects.filter(pk__in=order_ids).update(
            status=status, settled_at=timezone.now()
        )
