"""What one customer may order, where the shop limits it: units of a product, undecided orders.

Both limits look at a customer's other orders, so a customer's placements wait for each other where
a limit is set, and only there: a lock of the customer, held until the commit.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, Sum
from django.utils import timezone

from orders.errors import TooManyPendingOrders, TooManyUnits
from orders.models import ENDED_EMPTY, Order, OrderLine, Status

#: In which units of earlier orders count.
COUNTED_FOR = timedelta(days=30)
# Any number, which tells this lock from others; two customers may share a hash, and then wait.
LOCK = "SELECT pg_advisory_xact_lock(1867, hashtext(%s))"


def hold(*, user_id: UUID, quantities: Mapping[UUID, int]) -> None:
    """Refuse an order that would exceed a limit; no other order of the customer comes in between.

    Call it in the placement's transaction.

    Raises:
        TooManyUnits: of a product, with the orders of the last 30 days that were not called off.
        TooManyPendingOrders: so many wait for their outcome.
    """
    most_units = settings.CUSTOMER_MAX_UNITS_PER_PRODUCT
    most_pending = settings.CUSTOMER_MAX_PENDING_ORDERS
    if not (most_units or most_pending):
        return
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [str(user_id)])
    if most_pending:
        _refuse_pending(user_id, most_pending)
    if most_units:
        _refuse_units(user_id, quantities, most_units)


def _refuse_pending(user_id: UUID, most: int) -> None:
    pending = Order.objects.filter(user_id=user_id, status=Status.PENDING)[:most].count()
    if pending >= most:
        raise TooManyPendingOrders(
            f"{most} of your orders wait for their outcome. Wait for them, or cancel some.",
            members={"maximum": most},
        )


def _refuse_units(user_id: UUID, quantities: Mapping[UUID, int], most: int) -> None:
    had = _units_of(user_id, list(quantities))
    too_many = [
        {
            "product": str(product_id),
            "requested": quantity,
            "available": max(0, most - had.get(product_id, 0)),
        }
        for product_id, quantity in quantities.items()
        if quantity + had.get(product_id, 0) > most
    ]
    if too_many:
        raise TooManyUnits(
            f"A customer may have {most} units of a product in 30 days.",
            members={"maximum": most, "products": too_many},
        )


def _units_of(user_id: UUID, product_ids: list[UUID]) -> dict[UUID, int]:
    """Return how many units of each product the customer has, or is about to get."""
    lines = OrderLine.objects.filter(
        order__user_id=user_id,
        order__placed_at__gte=timezone.now() - COUNTED_FOR,
        product_id__in=product_ids,
    ).exclude(order__status__in=ENDED_EMPTY)
    units = lines.order_by().values_list("product_id").annotate(Sum(F("quantity") - F("returned")))
    return dict(units)
