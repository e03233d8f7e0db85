"""Every read of orders."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Min, QuerySet
from django.db.models.functions import Now

from orders.models import MAX_LINES, Order, OrderHistory, OrderLine, Status

#: Twice the lines of the largest order, so that the first order of a page is always complete.
MAX_PAGE_LINES = 2 * MAX_LINES
LINE_COLUMNS = ("order_id", "product_id", "name", "quantity", "unit_price")
Row = dict[str, Any]


def list_orders(*, viewer_id: UUID, sees_all: bool) -> QuerySet[Order]:
    """Return the orders that the viewer may see: everybody's or their own."""
    return Order.objects.all() if sees_all else Order.objects.filter(user_id=viewer_id)


def with_lines(orders: Sequence[Row]) -> list[Row]:
    """Return the first of `orders`, as many as have 2,000 lines together, each with its lines.

    `orders` are rows of `values()` with `id` and `status`, newest first. Added are `lines`, rows of
    `LINE_COLUMNS` and `line_total`, and `shortages`, None unless the order is rejected. The first
    order always comes. (An order may have a thousand lines, so that a number of orders does not
    bound what a page costs.)
    """
    lines: dict[UUID, list[Row]] = defaultdict(list)
    order_ids = [order["id"] for order in orders]
    found = OrderLine.objects.filter(order_id__in=order_ids).order_by("-order_id", "id")
    read = found.values(*LINE_COLUMNS)[: MAX_PAGE_LINES + 1]
    for line in read:
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
