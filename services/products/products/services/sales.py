"""What was sold, and to whom: learnt from confirmed orders."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from products.events import OrderConfirmed
from servicekit.messaging.router import Received

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
    """Note who bought what, and how many units of each product were sold today."""
    buyers: set[tuple[UUID, UUID]] = set()
    units: Counter[UUID] = Counter()
    for item in received:
        for line in item.event.lines:
            buyers.add((item.event.user_id, line.product_id))
            units[line.product_id] += line.quantity
    if not units:
        return
    with connection.cursor() as cursor:
        cursor.execute(PURCHASES, [list(column) for column in zip(*buyers, strict=True)])
        cursor.execute(SALES, [list(units), list(units.values())])
