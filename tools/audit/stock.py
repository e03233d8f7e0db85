"""I1 to I3: stock is conserved, never negative, and the sum of its ledger."""

from collections import Counter

from audit.result import Result
from audit.sources import Sources

#: Orders that may be between two databases at this moment: undecided orders and those that changed
#: just now.
IN_FLIGHT = """
    SELECT id FROM orders WHERE status = 'pending'
    UNION SELECT order_id FROM order_history WHERE at > now() - interval '5 seconds'
"""
SOLD = """
    SELECT product_id::text, sum(quantity - returned) FROM order_line JOIN orders
        ON orders.id = order_line.order_id
    WHERE status IN ('confirmed', 'shipped', 'delivered') AND order_id <> ALL(%s)
        GROUP BY product_id
"""
ON_SHELF = "SELECT id::text, stock FROM product"
BROUGHT_IN = """
    SELECT product_id::text, sum(quantity) FROM stock_movement
    WHERE kind IN ('initial', 'adjustment') GROUP BY product_id
"""
HELD_IN_FLIGHT = """
    SELECT product_id::text, -sum(quantity) FROM stock_movement WHERE order_id = ANY(%s)
        GROUP BY product_id
"""
LEDGER_DIFFERS = """
    SELECT id::text, stock, coalesce(moved, 0) FROM product
    LEFT JOIN (SELECT product_id, sum(quantity) AS moved FROM stock_movement
        GROUP BY product_id) AS ledger
        ON ledger.product_id = product.id
    WHERE stock <> coalesce(moved, 0)
"""
TWICE = """
    SELECT order_id::text, product_id::text, kind, count(*) FROM stock_movement
    WHERE order_id IS NOT NULL AND kind <> 'return'
    GROUP BY order_id, product_id, kind HAVING count(*) > 1
"""
ONCE_INDEX = """
    SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'stock_movement'
    AND indexdef LIKE 'CREATE UNIQUE INDEX%%(order_id, product_id, kind)%%'
"""
NOT_NEGATIVE = """
    SELECT count(*) FROM pg_constraint WHERE conrelid = 'public.product'::regclass AND contype = 'c'
    AND convalidated AND pg_get_constraintdef(oid) LIKE '%%stock >= 0%%'
"""


def conservation(sources: Sources) -> Result:
    """I1: per product, available + sold and kept + held by orders in flight = initial + staff changes."""
    in_flight = [row[0] for row in sources.orders.rows(IN_FLIGHT)]
    accounted: Counter[str] = Counter()
    for rows in (
        sources.products.rows(ON_SHELF),
        sources.orders.rows(SOLD, [in_flight]),
        sources.products.rows(HELD_IN_FLIGHT, [in_flight]),
    ):
        for product, units in rows:
            accounted[product] += int(units)
    brought = {product: int(units) for product, units in sources.products.rows(BROUGHT_IN)}
    differing = [
        f"product {product}: {accounted[product]} units accounted for, {brought.get(product, 0)}"
        " brought in"
        for product in sorted(accounted.keys() | brought.keys())
        if accounted[product] != brought.get(product, 0)
    ]
    return Result(
        "I1",
        "stock is conserved",
        f"{len(accounted)} products, {sum(brought.values())} units, {len(in_flight)} orders in"
        " flight",
        differing,
        "compare the product's ledger (GET /api/products/{id}/stock/) with its confirmed orders; I9"
        " names the orders",
    )


def never_negative(sources: Sources) -> Result:
    """I2: no stock below zero, and a constraint that says so."""
    negative = sources.products.rows("SELECT id::text, stock FROM product WHERE stock < 0")
    found = [f"product {product}: stock {stock}" for product, stock in negative]
    if not sources.products.number(NOT_NEGATIVE):
        found.append("the table product has no validated constraint stock >= 0")
    count = sources.products.number("SELECT count(*) FROM product")
    return Result(
        "I2",
        "stock is never negative",
        f"{count} products",
        found,
        "run the migrations of products",
    )


def ledger(sources: Sources) -> Result:
    """I3: stock = sum of movements; each order moves a product once per kind."""
    found = [
        f"product {product}: stock {stock}, its ledger says {moved}"
        for product, stock, moved in sources.products.rows(LEDGER_DIFFERS)
    ]
    found += [
        f"order {order}, product {product}: {count} movements of kind {kind}"
        for order, product, kind, count in sources.products.rows(TWICE)
    ]
    if not sources.products.number(ONCE_INDEX):
        found.append("the table stock_movement has no unique index on order, product and kind")
    count = sources.products.number("SELECT count(*) FROM stock_movement")
    return Result(
        "I3",
        "stock is the sum of its ledger",
        f"{count} movements",
        found,
        "something wrote a stock past the ledger: correct it with a staff adjustment once it is"
        " understood",
    )
