"""I4, I9, I12, I13: orders end, agree with the stock, move only as allowed, and their money adds
up.
"""

from audit.result import Result
from audit.sources import Sources

SOLD = ("confirmed", "shipped", "delivered")
#: order status → what its reservation may be; a missing reservation is never fine at rest
AGREES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(SOLD, ("reserved",)),
    "rejected": ("rejected",),
    # A customer may cancel, and the deadline may pass, before or after products has said no.
    "cancelled": ("released", "void", "rejected"),
    "expired": ("released", "void", "rejected"),
}
TRANSITIONS = {
    ("", "pending"),
    ("pending", "confirmed"),
    ("pending", "rejected"),
    ("pending", "expired"),
    ("pending", "cancelled"),
    ("confirmed", "shipped"),
    ("confirmed", "cancelled"),
    ("shipped", "delivered"),
    # Shipped in part; units that came back.
    ("confirmed", "confirmed"),
    ("shipped", "shipped"),
    ("delivered", "delivered"),
}
STUCK = """
    SELECT id::text, extract(epoch FROM now() - placed_at)::int FROM orders
    WHERE status = 'pending' AND placed_at < now() - interval '30 seconds' ORDER BY placed_at
"""
RECENT = "SELECT order_id::text FROM order_history WHERE at > now() - interval '5 seconds'"
ORDERS = "SELECT id::text, status FROM orders"
RESERVATIONS = "SELECT order_id::text, status FROM reservation"
SOLD_LINES = """
    SELECT order_id::text, string_agg(product_id || ' ' || quantity, ', ' ORDER BY product_id)
    FROM order_line JOIN orders ON orders.id = order_line.order_id
    WHERE status IN ('confirmed', 'shipped', 'delivered') GROUP BY order_id
"""
TAKEN = """
    SELECT order_id::text, string_agg(product_id || ' ' || quantity, ', ' ORDER BY product_id)
    FROM (SELECT order_id, product_id, -sum(quantity) AS quantity FROM stock_movement
          WHERE order_id IS NOT NULL AND kind <> 'return' GROUP BY order_id, product_id) AS net
    WHERE quantity <> 0 GROUP BY order_id
"""
NOT_RELEASED_ONCE = """
    SELECT reservation.order_id::text, status, taken, given FROM reservation
    LEFT JOIN (
        SELECT order_id,
            -coalesce(sum(quantity) FILTER (WHERE kind = 'reservation'), 0) AS taken,
            coalesce(sum(quantity) FILTER (WHERE kind = 'release'), 0) AS given
        FROM stock_movement WHERE order_id IS NOT NULL GROUP BY order_id
    ) AS moved USING (order_id)
    WHERE (status = 'released' AND (taken IS NULL OR taken <> given))
       OR (status IN ('rejected', 'void') AND (taken <> 0 OR given <> 0))
       OR (status = 'reserved' AND given <> 0)
"""
HISTORY = """
    SELECT order_id::text, problem FROM (
        SELECT order_id, CASE
            WHEN version <> row_number() OVER steps THEN 'version ' || version || ' follows a gap'
            WHEN from_status <> coalesce(lag(to_status) OVER steps, '')
                THEN 'version ' || version || ' starts from ' || from_status
            WHEN from_status || '>' || to_status <> ALL(%s)
                THEN from_status || ' became ' || to_status
        END AS problem
        FROM order_history WINDOW steps AS (PARTITION BY order_id ORDER BY version)
    ) AS judged WHERE problem IS NOT NULL
"""
NOT_ITS_HISTORY = """
    SELECT orders.id::text, orders.status, orders.version, last.to_status, last.version FROM orders
    LEFT JOIN (SELECT DISTINCT ON (order_id) order_id, version, to_status FROM order_history
               ORDER BY order_id, version DESC) AS last ON last.order_id = orders.id
    WHERE last.order_id IS NULL OR last.to_status <> orders.status OR last.version <> orders.version
"""
WRONG_TOTAL = """
    SELECT orders.id::text, orders.total, lines.total FROM orders
    LEFT JOIN (SELECT order_id, sum(quantity * unit_price) AS total FROM order_line
        GROUP BY order_id) AS lines
        ON lines.order_id = orders.id
    WHERE lines.total IS DISTINCT FROM orders.total
"""
PLACED = (
    "SELECT subject, convert_from(data, 'UTF8')::jsonb AS placed FROM outbox"
    " WHERE type = 'orders.order_placed.v1'"
)
NOT_AS_PLACED = f"""
    SELECT orders.id::text, orders.total, placed ->> 'total' FROM orders JOIN ({PLACED}) AS event
        ON event.subject = orders.id::text
    WHERE (placed ->> 'total')::numeric <> orders.total OR placed ->> 'currency' <> orders.currency
       OR (placed ->> 'user_id')::uuid <> orders.user_id
"""  # noqa: S608  our own constant
LINES_NOT_AS_PLACED = f"""
    SELECT DISTINCT coalesce(told.order_id, kept.order_id) FROM (
        SELECT subject AS order_id, (line ->> 'product_id')::uuid AS product_id,
            (line ->> 'quantity')::int AS quantity,
               (line ->> 'unit_price')::numeric AS unit_price
        FROM ({PLACED}) AS event, jsonb_array_elements(placed -> 'lines') AS line
    ) AS told
    FULL JOIN (
        SELECT order_id::text, product_id, quantity, unit_price FROM order_line
        WHERE order_id::text IN (SELECT subject FROM outbox WHERE type = 'orders.order_placed.v1')
    ) AS kept USING (order_id, product_id, quantity, unit_price)
    WHERE told.order_id IS NULL OR kept.order_id IS NULL
"""  # noqa: S608  our own constant


def settled(sources: Sources) -> Result:
    """I4: no order is undecided for longer than 30 seconds."""
    stuck = sources.orders.rows(STUCK)
    pending = sources.orders.number("SELECT count(*) FROM orders WHERE status = 'pending'")
    count = sources.orders.number("SELECT count(*) FROM orders")
    return Result(
        "I4",
        "every order ends",
        f"{count} orders, {pending} pending",
        [f"order {order}: pending for {seconds} s" for order, seconds in stuck],
        "look at `make status` and `make deadletters`: a relay, a consumer or the expiry job does"
        " not run",
    )


def agreement(sources: Sources) -> Result:
    """I9: confirmed ⇔ active reservation of the same units; rejected ⇒ none; cancelled or expired ⇒
    released once.
    """
    statuses: dict[str, str] = dict(sources.orders.rows(ORDERS))
    reservations: dict[str, str] = dict(sources.products.rows(RESERVATIONS))
    sold: dict[str, str] = dict(sources.orders.rows(SOLD_LINES))
    taken: dict[str, str] = dict(sources.products.rows(TAKEN))
    moving = {row[0] for row in sources.orders.rows(RECENT)}
    moving |= {order for order, status in statuses.items() if status == "pending"}
    found = []
    for order in sorted((statuses.keys() | reservations.keys()) - moving):
        status, reservation = (
            statuses.get(order, "unknown to orders"),
            reservations.get(order, "missing"),
        )
        if reservation not in AGREES.get(status, ()):
            found.append(f"order {order} is {status}, its reservation is {reservation}")
        elif sold.get(order) != taken.get(order):
            found.append(
                f"order {order} has [{sold.get(order, 'nothing')}], products gave"
                f" [{taken.get(order, 'nothing')}]"
            )
    found += [
        f"order {order}: reservation {status}, took {took}, gave back {gave}"
        for order, status, took, gave in sources.products.rows(NOT_RELEASED_ONCE)
        if order not in moving
    ]
    return Result(
        "I9",
        "orders and reservations agree",
        f"{len(statuses)} orders, {len(reservations)} reservations",
        found,
        "redrive what waits in `make deadletters`; if nothing does, an event was lost: I5 names it,"
        " and products' `settle_reservations` asks for an order's outcome anew",
    )


def history(sources: Sources) -> Result:
    """I12: an order's history is a legal path without gaps that ends where the order is."""
    legal = [f"{before}>{after}" for before, after in TRANSITIONS]
    found = [
        f"order {order}: {problem}" for order, problem in sources.orders.rows(HISTORY, [legal])
    ]
    found += [
        f"order {order} is {status} version {version}, its history ends {last} version"
        f" {last_version}"
        for order, status, version, last, last_version in sources.orders.rows(NOT_ITS_HISTORY)
    ]
    count = sources.orders.number("SELECT count(*) FROM order_history")
    return Result(
        "I12",
        "states only move forward",
        f"{count} steps",
        found,
        "something wrote an order's status past orders/services/transitions.py",
    )


def money(sources: Sources) -> Result:
    """I13: total = sum of units times the price at placing, in the order, its lines and the event
    that announced it.
    """
    found = [
        f"order {order}: total {total}, its lines {lines}"
        for order, total, lines in sources.orders.rows(WRONG_TOTAL)
    ]
    found += [
        f"order {order}: total {total}, announced {told} (or currency or customer differ)"
        for order, total, told in sources.orders.rows(NOT_AS_PLACED)
    ]
    found += [
        f"order {order}: lines are not as announced"
        for (order,) in sources.orders.rows(LINES_NOT_AS_PLACED)
    ]
    announced = sources.orders.number(
        "SELECT count(*) FROM outbox WHERE type = 'orders.order_placed.v1'"
    )
    return Result(
        "I13",
        "money adds up",
        f"{announced} announced orders compared",
        found,
        "something changed an order after it was placed; the event in orders' outbox has what was"
        " agreed",
    )
