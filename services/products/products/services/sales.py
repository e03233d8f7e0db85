"""What was sold, and to whom: learnt from confirmed orders."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from products.events import OrderConfirmed
from servicekit.messaging.router import Received

# Locked in the sequence in which reservations.py locks them. Orders may confirm again, when asked;
# which reservations were counted before is known from the row of before this statement alone.
CONFIRM = """
    WITH known AS (
        SELECT order_id, is_counted FROM reservation WHERE order_id = ANY(%s)
        ORDER BY order_id FOR NO KEY UPDATE
    ), confirmed AS (
        UPDATE reservation SET confirmed_at = statement_timestamp(), is_counted = true FROM known
        WHERE reservation.order_id = known.order_id AND reservation.confirmed_at IS NULL
    )
    SELECT order_id FROM known WHERE is_counted
"""
# A product that was never ours, in a forged event, is left out by the join. In the sequence of the
# ids, as every batch writes them: two consumers wait for each other, but never in a circle.
PURCHASES = """
    INSERT INTO purchase (customer_id, product_id)
    SELECT customer_id, product.id
    FROM unnest(%s::uuid[], %s::uuid[]) AS sold (customer_id, product_id)
    JOIN product ON product.id = sold.product_id
    ORDER BY customer_id, product.id
    ON CONFLICT (customer_id, product_id) DO NOTHING
"""
SALES = """
    INSERT INTO product_sales (day, product_id, units)
    SELECT (statement_timestamp() AT TIME ZONE 'UTC')::date, product.id, units
    FROM unnest(%s::uuid[], %s::bigint[]) AS sold (product_id, units)
    JOIN product ON product.id = sold.product_id
    ORDER BY product.id
    ON CONFLICT (day, product_id) DO UPDATE SET units = product_sales.units + excluded.units
"""


def record_sales(*, received: Sequence[Received[OrderConfirmed]]) -> None:
    """Note which reservations are confirmed, who bought what, and the units of each product today.

    An order's units are counted once, however often it is confirmed. Its buyer is noted each time:
    an order of before the reviews counts as counted, but nobody noted who bought it.
    """
    orders = {item.event.order_id: item.event for item in received}
    counted = _confirm(list(orders))
    buyers: set[tuple[UUID, UUID]] = set()
    units: Counter[UUID] = Counter()
    for order_id, order in orders.items():
        for line in order.lines:
            buyers.add((order.user_id, line.product_id))
            if order_id not in counted:
                units[line.product_id] += line.quantity
    with connection.cursor() as cursor:
        if buyers:
            cursor.execute(PURCHASES, [list(column) for column in zip(*buyers, strict=True)])
        if units:
            cursor.execute(SALES, [list(units), list(units.values())])


def _confirm(order_ids: list[UUID]) -> set[UUID]:
    """Mark the orders' reservations as confirmed; return those whose units were counted before."""
    with connection.cursor() as cursor:
        cursor.execute(CONFIRM, [order_ids])
        return {row[0] for row in cursor.fetchall()}
