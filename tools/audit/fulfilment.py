"""I14: what was shipped and what came back agree in both databases."""

from audit.result import Result
from audit.sources import Sources

RECENT = "SELECT order_id::text FROM order_history WHERE at > now() - interval '5 seconds'"
SHIPPED_OTHERWISE = """
    SELECT order_line.order_id::text, product_id::text, shipped, coalesce(units, 0) FROM order_line
    LEFT JOIN (
        SELECT line_id, sum(quantity) AS units FROM shipment_line GROUP BY line_id
    ) AS parcels ON parcels.line_id = order_line.id
    WHERE shipped <> coalesce(units, 0)
"""
RETURNED_OTHERWISE = """
    SELECT order_line.order_id::text, product_id::text, returned, coalesce(units, 0)
    FROM order_line LEFT JOIN (
        SELECT line_id, sum(quantity) AS units FROM order_return_line GROUP BY line_id
    ) AS back ON back.line_id = order_line.id
    WHERE returned <> coalesce(units, 0)
"""
STATE_OTHERWISE = """
    SELECT orders.id::text, status, units.shipped, units.ordered FROM orders JOIN (
        SELECT order_id, sum(shipped) AS shipped, sum(quantity) AS ordered FROM order_line
        GROUP BY order_id
    ) AS units ON units.order_id = orders.id
    WHERE CASE
        WHEN status IN ('shipped', 'delivered') THEN units.shipped <> units.ordered
        WHEN status = 'confirmed' THEN units.shipped = units.ordered
        ELSE units.shipped <> 0
    END
"""
CAME_BACK = """
    SELECT order_return.id::text || ' ' || product_id, order_return.order_id::text,
        sum(back.quantity)
    FROM order_return_line AS back
    JOIN order_return ON order_return.id = back.order_return_id
    JOIN order_line ON order_line.id = back.line_id
    GROUP BY order_return.id, product_id
"""
PUT_BACK = """
    SELECT return_id::text || ' ' || product_id, order_id::text, sum(quantity) FROM stock_movement
    WHERE kind = 'return' GROUP BY return_id, product_id, order_id
"""


def units(sources: Sources) -> Result:
    """I14: lines = parcels and returns; an order is shipped when all is; products has each return
    in its ledger.
    """
    found = [
        f"order {order}, product {product}: {told} shipped, its parcels hold {held}"
        for order, product, told, held in sources.orders.rows(SHIPPED_OTHERWISE)
    ]
    found += [
        f"order {order}, product {product}: {told} came back, its returns hold {held}"
        for order, product, told, held in sources.orders.rows(RETURNED_OTHERWISE)
    ]
    found += [
        f"order {order} is {status}, {shipped} of {ordered} units are shipped"
        for order, status, shipped, ordered in sources.orders.rows(STATE_OTHERWISE)
    ]
    moving = {row[0] for row in sources.orders.rows(RECENT)}
    came = {row[0]: row[1:] for row in sources.orders.rows(CAME_BACK)}
    put = {row[0]: row[1:] for row in sources.products.rows(PUT_BACK)}
    found += [
        f"return and product {key}: orders took {came.get(key)}, products put back {put.get(key)}"
        for key in sorted(came.keys() | put.keys())
        if came.get(key) != put.get(key) and (came.get(key) or put[key])[0] not in moving
    ]
    count = sources.orders.number("SELECT count(*) FROM shipment")
    return Result(
        "I14",
        "parcels and returns agree",
        f"{count} shipments, {len(came)} returned lines",
        found,
        "redrive what waits in `make deadletters`; an event of a return is in orders' outbox",
    )
