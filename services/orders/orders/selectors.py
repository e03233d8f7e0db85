"""Every read of orders."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F, Min, QuerySet, Value
from django.db.models.functions import Coalesce, Now

from orders.models import (
    MAX_LINES,
    Cart,
    CartLine,
    CatalogueProduct,
    Order,
    OrderHistory,
    OrderLine,
    Payment,
    PaymentStep,
    Shipment,
    ShipmentLine,
    Status,
)

#: Twice the lines of the largest order, so that the first order of a page is always complete.
MAX_PAGE_LINES = 2 * MAX_LINES
LINE_COLUMNS = (
    "order_id",
    "product_id",
    "name",
    "slug",
    "sku",
    "quantity",
    "unit_price",
    "shipped",
    "returned",
)
Row = dict[str, Any]


def list_orders(*, viewer_id: UUID, sees_all: bool) -> QuerySet[Order]:
    """Return the orders that the viewer may see: everybody's or their own.

    Each with its `shipping_address`, `billing_address` (or None) and `note`.
    """
    orders = Order.objects.annotate(
        shipping_address=F("details__shipping_address"),
        billing_address=F("details__billing_address"),
        note=Coalesce("details__note", Value("")),
    )
    return orders if sees_all else orders.filter(user_id=viewer_id)


def with_lines(orders: Sequence[Row]) -> list[Row]:
    """Return the first of `orders`, as many as have 2,000 lines together, each with its lines.

    `orders` are rows of `values()` with `id`, `status` and `currency`, in the order of their ids.
    Added are `lines`, rows of `LINE_COLUMNS`, `currency` and `line_total`, and `shortages`, None
    unless the order is rejected. The first order always comes. (An order may have a thousand lines,
    so that a number of orders does not bound what a page costs.)
    """
    lines: dict[UUID, list[Row]] = defaultdict(list)
    currencies = {order["id"]: order["currency"] for order in orders}
    is_ascending = len(orders) > 1 and orders[0]["id"] < orders[-1]["id"]
    found = OrderLine.objects.filter(order_id__in=list(currencies)).order_by(
        "order_id" if is_ascending else "-order_id", "id"
    )
    read = found.values(*LINE_COLUMNS)[: MAX_PAGE_LINES + 1]
    for line in read:
        line["currency"] = currencies[line["order_id"]]
        line["line_total"] = line["unit_price"] * line["quantity"]
        lines[line["order_id"]].append(line)
    complete = list(orders)
    if len(read) > MAX_PAGE_LINES:
        # The line that is too many belongs to the first order that is not read to its end.
        incomplete_id = read[MAX_PAGE_LINES]["order_id"]
        complete = list(takewhile(lambda order: order["id"] != incomplete_id, orders))
    shortages = _shortages(
        [order["id"] for order in complete if order["status"] == Status.REJECTED]
    )
    return [
        {**order, "lines": lines[order["id"]], "shortages": shortages.get(order["id"])}
        for order in complete
    ]


def _shortages(order_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Read what was short.

    Apart from the orders: it may be as long as the lines, so it is read only for the orders shown.
    """
    if not order_ids:
        return {}
    return dict(Order.objects.filter(pk__in=order_ids).values_list("id", "shortages"))


def list_history(*, order_id: UUID) -> QuerySet[OrderHistory]:
    """Return every state the order has had, oldest first."""
    return OrderHistory.objects.filter(order_id=order_id).order_by("version")


def list_shipments(*, order_id: UUID) -> QuerySet[Shipment]:
    """Return every parcel of an order."""
    return Shipment.objects.filter(order_id=order_id)


def with_shipped_lines(shipments: Sequence[Row]) -> list[Row]:
    """Return each of the shipments, rows of `values()` with `id`, with its `lines`."""
    lines: dict[UUID, list[Row]] = defaultdict(list)
    found = ShipmentLine.objects.filter(shipment_id__in=[row["id"] for row in shipments])
    for line in found.order_by("id").values(
        "shipment_id", "quantity", product_id=F("line__product_id")
    ):
        lines[line["shipment_id"]].append({**line})
    return [{**row, "lines": lines[row["id"]]} for row in shipments]


def list_payments(*, order_id: UUID) -> QuerySet[Payment]:
    """Return the payment of an order, if it has one."""
    return Payment.objects.filter(order_id=order_id)


def oldest_unanswered_seconds() -> float:
    """Return for how long the payment provider has owed its oldest answer; 0 when it owes none."""
    owed = PaymentStep.objects.filter(answered_at=None).exclude(
        payment__state__in=(Payment.State.VOIDED, Payment.State.DECLINED)
    )
    age = owed.aggregate(age=Now() - Min("created_at"))["age"]
    return max(0.0, age.total_seconds()) if age else 0.0


def is_pending(*, order_id: UUID) -> bool:
    """Whether the order still waits for its outcome."""
    return Order.objects.filter(pk=order_id, status=Status.PENDING).exists()


def count_overdue() -> int:
    """Return how many pending orders are past their deadline."""
    return Order.objects.filter(status=Status.PENDING, deadline__lt=Now()).count()


def oldest_overdue_seconds() -> float:
    """Return by how much the most overdue pending order is past its deadline; 0 when none is."""
    pending = Order.objects.filter(status=Status.PENDING)
    age = pending.aggregate(age=Now() - Min("deadline"))["age"]
    return max(0.0, age.total_seconds()) if age else 0.0


def read_cart(*, user_id: UUID | None, cart_id: UUID | None) -> Row:
    """Return a customer's cart, or the anonymous one of this id; of none, an empty one, version 0.

    Its lines have the catalogue's name and price of now, and `changes`, what is not as it was when
    they were put in. Three queries, however many lines.
    """
    cart = _cart(user_id, cart_id)
    lines = list(CartLine.objects.filter(cart=cart).order_by("added_at", "id")) if cart else []
    products = CatalogueProduct.objects.in_bulk([line.product_id for line in lines])
    shown = [_shown(line, products.get(line.product_id)) for line in lines]
    return {"version": cart.version if cart else 0, "lines": shown, **_summary(shown)}


def cart_version(*, user_id: UUID) -> int:
    """Return the version of a customer's cart; 0 is one that is not there yet."""
    return Cart.objects.filter(user_id=user_id).values_list("version", flat=True).first() or 0


def _cart(user_id: UUID | None, cart_id: UUID | None) -> Cart | None:
    if user_id:
        return Cart.objects.filter(user_id=user_id).first()
    # A customer's cart answers to no cookie.
    return Cart.objects.filter(pk=cart_id, user_id=None).first() if cart_id else None


def _shown(line: CartLine, product: CatalogueProduct | None) -> Row:
    is_available = product is not None and product.active and not product.deleted
    price = product.price if product and is_available else line.price_when_added
    changes = [] if is_available else ["unavailable"]
    changes += ["price_changed"] if price != line.price_when_added else []
    return {
        "product_id": line.product_id,
        "name": product.name if product else "",
        "slug": product.slug if product else "",
        "currency": product.currency if product else "",
        "quantity": line.quantity,
        "unit_price": price,
        "line_total": price * line.quantity,
        "price_when_added": line.price_when_added,
        "is_available": is_available,
        "changes": changes,
        "added_at": line.added_at,
    }


def _summary(lines: Sequence[Row]) -> Row:
    """Return the total of what is for sale: None of nothing, and of several currencies."""
    for_sale = [line for line in lines if line["is_available"]]
    currencies = {line["currency"] for line in for_sale}
    has_total = len(currencies) == 1
    return {
        "total": sum((line["line_total"] for line in for_sale), Decimal(0)) if has_total else None,
        "currency": currencies.pop() if has_total else None,
        "is_ready": has_total and len(for_sale) == len(lines),
    }


# By hand, both: one text for any number of ids, so that PostgreSQL keeps one plan; and the ORM has
# no LATERAL, which reads the newest of many customers by the index on (user_id, id).
STATES = """
    SELECT id, user_id, status, version, total, currency, placed_at, settled_at FROM orders
    WHERE id = ANY(%s)
"""
NEWEST_STATES = """
    SELECT newest.* FROM unnest(%s::uuid[]) AS customer (id) CROSS JOIN LATERAL (
        SELECT id, user_id, status, version, total, currency, placed_at, settled_at FROM orders
        WHERE user_id = customer.id ORDER BY id DESC LIMIT %s
    ) AS newest
"""
DECIDED = "SELECT id FROM orders WHERE id = ANY(%s) AND status <> 'pending'"


class OrderState(NamedTuple):
    """What a socket tells of an order."""

    id: UUID
    user_id: UUID
    status: str
    version: int
    total: Decimal
    currency: str
    placed_at: datetime
    settled_at: datetime | None


def list_states(*, order_ids: Collection[UUID]) -> list[OrderState]:
    """Return the states of these orders, as far as there are such."""
    return [OrderState(*row) for row in _rows(STATES, list(order_ids))] if order_ids else []


def list_newest_states(*, user_ids: Collection[UUID], each: int) -> list[OrderState]:
    """Return the states of the newest `each` orders of each of these customers."""
    if not user_ids:
        return []
    return [OrderState(*row) for row in _rows(NEWEST_STATES, list(user_ids), each)]


def decided_among(*, order_ids: Collection[UUID]) -> list[UUID]:
    """Return those of the orders that are pending no more."""
    return [row[0] for row in _rows(DECIDED, list(order_ids))] if order_ids else []


def _rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
