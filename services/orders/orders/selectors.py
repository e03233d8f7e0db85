"""Every read of orders. Somebody else's order does not exist for the asker."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.db.models import Min, QuerySet
from django.db.models.functions import Now

from orders.models import MAX_LINES, Order, OrderHistory, OrderLine, Status

FIELDS = ("id", "user_id", "status", "total", "currency", "version", "placed_at", "settled_at")
#: Two of the largest orders (models.MAX_LINES); the first order of a page is therefore always complete.
MAX_PAGE_LINES = 2 * MAX_LINES
LineRow = tuple[UUID, str, int, Decimal]
#: A waiting caller looks again after this long, at first; an undisturbed purchase is decided within a few tens of milliseconds.
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.005, 0.1


def list_orders(
    *, viewer_id: UUID, is_staff: bool, status: str = "", user_id: UUID | None = None
) -> QuerySet[Any]:
    """Return the rows that the viewer may see; staff see everybody's."""
    rows: QuerySet[Any, Any] = Order.objects.values(*FIELDS)
    if not is_staff:
        rows = rows.filter(user_id=viewer_id)
    elif user_id:
        rows = rows.filter(user_id=user_id)
    if status:
        rows = rows.filter(status=status)
    return rows


def order_for_id(*, order_id: UUID, viewer_id: UUID, is_staff: bool) -> dict[str, Any] | None:
    """Return the order's body, or None if there is none or it is somebody else's."""
    row = list_orders(viewer_id=viewer_id, is_staff=is_staff).filter(pk=order_id).first()
    return bodies([row])[0] if row else None


def bodies(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the bodies of the first of `rows` (newest first), as many as have 2,000 lines together and at least one.

    An order may have a thousand lines: a number of orders does not bound what a page costs.
    """
    lines: dict[UUID, list[LineRow]] = defaultdict(list)
    found = OrderLine.objects.filter(order_id__in=[row["id"] for row in rows]).order_by("-order_id", "id")
    read = found.values_list("order_id", "product_id", "name", "quantity", "unit_price")[: MAX_PAGE_LINES + 1]
    for row in read:
        lines[row[0]].append(row[1:])
    complete = rows
    if len(read) > MAX_PAGE_LINES:
        cut = read[MAX_PAGE_LINES][0]
        complete = list(takewhile(lambda row: row["id"] != cut, rows))
    shortages = _shortages([row["id"] for row in complete if row["status"] == Status.REJECTED])
    return [order_body({**row, "shortages": shortages.get(row["id"])}, lines[row["id"]]) for row in complete]


def _shortages(order_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Read apart from the orders: they may be as many as the lines, so only those of the orders shown are read."""
    if not order_ids:
        return {}
    return dict(Order.objects.filter(pk__in=order_ids).values_list("id", "shortages"))


def order_body(row: dict[str, Any], lines: Iterable[LineRow]) -> dict[str, Any]:
    """Return an order as the API shows it: money as decimal strings, times RFC 3339 in UTC."""
    return {
        "id": str(row["id"]),
        "user": str(row["user_id"]),
        "status": row["status"],
        "total": f"{row['total']:.2f}",
        "currency": row["currency"],
        "lines": [
            {
                "product": str(product_id),
                "name": name,
                "quantity": quantity,
                "unit_price": f"{unit_price:.2f}",
                "line_total": f"{unit_price * quantity:.2f}",
            }
            for product_id, name, quantity, unit_price in lines
        ],
        "shortages": shortages_body(row["shortages"]),
        "version": row["version"],
        "placed_at": _time(row["placed_at"]),
        "settled_at": _time(row["settled_at"]),
    }


def shortages_body(shortages: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Return what was short, by the API's names."""
    if shortages is None:
        return None
    names = ("requested", "available", "reason")
    return [{"product": one["product_id"], **{name: one[name] for name in names}} for one in shortages]


def list_history(*, order_id: UUID) -> list[dict[str, Any]]:
    """Return every state the order has had, oldest first."""
    rows = OrderHistory.objects.filter(order_id=order_id).order_by("version")
    return [
        {
            "version": row.version,
            "from": row.from_status or None,
            "to": row.to_status,
            "event": str(row.event_id) if row.event_id else None,
            "note": row.note,
            "at": _time(row.at),
        }
        for row in rows
    ]


def wait_until_settled(*, order_id: UUID, seconds: float) -> bool:
    """Wait until the order is no longer pending; False if it still is after `seconds`. Holds no transaction and no lock."""
    deadline = time.monotonic() + seconds
    pause = FIRST_LOOK_SECONDS
    while Order.objects.filter(pk=order_id, status=Status.PENDING).exists():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_LOOK_SECONDS)
    return True


def count_overdue() -> int:
    """Return how many pending orders are past their deadline."""
    return Order.objects.filter(status=Status.PENDING, deadline__lt=Now()).count()


def oldest_overdue_seconds() -> float:
    """Return by how much the most overdue of the pending orders is past its deadline; 0 when none is."""
    pending = Order.objects.filter(status=Status.PENDING)
    age = pending.aggregate(age=Now() - Min("deadline"))["age"]
    return max(0.0, age.total_seconds()) if age else 0.0


def _time(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
