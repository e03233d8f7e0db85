"""Lists of orders over as many rows as make the planner choose.

Each statement that a list really runs is explained where it runs: none reads a large table from end
to end, and none reads many rows to answer with few.
"""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection

from orders.models import Order
from servicekit.testing.client import Caller, decoded
from servicekit.testing.plans import Plans, rows_read
from tests.api.calls import PATH

ORDERS = 30_000
#: A product that is in every order, and one in three of them.
HOT, RARE = (UUID(f"00000000-0000-4000-8000-{number:012}") for number in (1, 2))
#: A second after a second from the first of 2026; a hundred customers; one in a thousand rejected.
FILL = """
    INSERT INTO orders
        (id, user_id, status, currency, total, version, placed_at, deadline, settled_at)
    SELECT (lpad(to_hex((extract(epoch FROM placed) * 1000)::bigint), 12, '0')
                || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
        ('00000000-0000-4000-8000-' || lpad((n %% 100)::text, 12, '0'))::uuid,
        CASE WHEN n %% 1000 = 0 THEN 'rejected' ELSE 'confirmed' END, 'GBP', 1, 1, placed, placed,
        placed
    FROM generate_series(1, %(orders)s) AS n,
        LATERAL (SELECT timestamptz '2026-01-01T00:00:00Z' + n * interval '1 second') AS t (placed);
    INSERT INTO order_line (order_id, product_id, name, unit_price, quantity)
    SELECT id, %(hot)s, 'Lantern', 1, 1 FROM orders;
    INSERT INTO order_line (order_id, product_id, name, unit_price, quantity)
    SELECT id, %(rare)s, 'Candle', 1, 1 FROM orders ORDER BY id LIMIT 3;
"""
LARGE = {"orders", "order_line", "order_history", "order_details"}
#: A page and its next row, their lines and details; once more for the page behind it.
PAGE = 5 * 21
RANGE = "placed_from=2026-01-01T04:00:00Z&placed_before=2026-01-01T04:01:00Z"
#: Of a customer's own orders, three hundred here, a filter may look at each.
OWN = 2 * ORDERS // 100
BY_STAFF = {
    PATH: PAGE,
    f"{PATH}?ordering=id": PAGE,
    f"{PATH}?status=rejected": PAGE,
    f"{PATH}?status=rejected&ordering=id": PAGE,
    f"{PATH}?status=pending": 0,
    f"{PATH}?product={HOT}": PAGE + 42,
    f"{PATH}?product={RARE}": PAGE,
    f"{PATH}?{RANGE}": PAGE + 60,
    f"{PATH}?{RANGE}&ordering=id": PAGE + 60,
}
BY_CUSTOMER = {PATH: PAGE, f"{PATH}?status=rejected": OWN, f"{PATH}?product={RARE}": OWN}
CUSTOMER = UUID("00000000-0000-4000-8000-000000000000")


@pytest.fixture
def orders(transactional_db: None) -> Iterator[None]:
    values = {"orders": ORDERS, "hot": HOT, "rare": RARE}
    with connection.cursor() as cursor:
        for statement in FILL.split(";\n")[:-1]:
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE orders, order_line")
    yield
    # Or the tests after this one would plan for large tables.
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE orders CASCADE")
        cursor.execute("VACUUM ANALYZE orders, order_line")


def objections(caller: Caller, path: str, most: int) -> list[str]:
    """What is wrong with a list and, if there is one, the page behind it."""
    with connection.execute_wrapper(plans := Plans(LARGE)):
        body = decoded(caller.get(path))
    scans = [
        (scan["Node Type"], scan["Relation Name"], scan.get("Index Name"), rows_read(scan))
        for scan in plans.scans()
    ]
    # A table without rows is read from end to end, which reads none.
    has_whole_table = any(kind == "Seq Scan" and rows for kind, *_rest, rows in scans)
    is_fine = sum(rows for *_rest, rows in scans) <= most and not has_whole_table
    found = [] if is_fine else [f"{path} may read {most}: {scans}"]
    link = body["next"] if "cursor=" not in path else None
    return found + (objections(caller, link, most) if link else [])


@pytest.mark.usefixtures("orders", "test_keys")
def test_every_list_of_orders_reads_few_rows() -> None:
    staff, customer = Caller("customer", "staff", "support"), Caller("customer")
    Order.objects.filter(user_id=CUSTOMER).update(user_id=customer.id)

    found = [
        objection
        for caller, paths in ((staff, BY_STAFF), (customer, BY_CUSTOMER))
        for path, most in paths.items()
        for objection in objections(caller, path, most)
    ]

    assert not found, "\n".join(found)
