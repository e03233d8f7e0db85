"""100,000 prices changed, alone and while customers buy: how long, and what customers notice."""

import asyncio
from datetime import datetime
from typing import Any

from bench.latency import await_outcomes, open_loop
from bench.scene import Scene, database, one_number
from bench.table import Figure, in_turn
from shopper.accounts import Account, Session
from shopper.api import Api, Refused

PRODUCTS = 100_000
ORDERS_PER_SECOND = 100.0
PERCENT = ("5.00", "-4.76")
POLL_SECONDS = 0.5
# Words as many as a small shop has, so that the index of the search has long lists.
FILL = """
    INSERT INTO product (id, slug, name, description, price, currency, stock, active, version,
                         created_at, updated_at)
    SELECT gen_random_uuid(), 'bulk-' || n, 'Thing ' || n,
           (SELECT string_agg('word' || (n * 37 + k * k * 101) %% 5000, ' ')
            FROM generate_series(1, 30) AS k),
           10 + n %% 50, 'GBP', 0, true, 1, now(), now()
    FROM generate_series(1, %s) AS n ON CONFLICT DO NOTHING
"""
P99 = """
    SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM settled_at - placed_at))
        * 1000
    FROM orders WHERE placed_at BETWEEN %s AND %s AND status = 'confirmed'
"""


def measure_bulk(scene: Scene, *, runs: int, seconds: int) -> list[Figure]:
    """Return the seconds of a change of every price, and p99 of orders without and beside it."""
    _fill(scene)
    alone = Figure("100,000 prices, nobody buys", "s")
    beside = Figure(f"100,000 prices, {ORDERS_PER_SECOND:.0f} orders/s", "s", goal="<= 30")
    without = Figure("placed to confirmed p99, no change of prices", "ms")
    during = Figure("same, while prices change", "ms", anchor=without, goal="<= 2 x")

    def buy_only() -> None:
        began = _now(scene)
        _buy(scene, seconds)
        without.values.append(_p99(scene, began, _now(scene)))

    def change_only() -> None:
        operation = asyncio.run(_change(scene, PERCENT[0], buying=0))
        alone.values.append(_seconds(operation))

    def change_and_buy() -> None:
        scene.refresh()
        operation = asyncio.run(_change(scene, PERCENT[1], buying=seconds))
        beside.values.append(_seconds(operation))
        during.values.append(_p99(scene, *_span(operation)))

    in_turn(runs, [buy_only, change_only, change_and_buy])
    return [alone, beside, without, during]


def _fill(scene: Scene) -> None:
    with database(scene.ops, "products") as products:
        missing = one_number(products, "SELECT count(*) FROM product WHERE slug LIKE 'bulk-%%'")
        if missing < PRODUCTS:
            products.execute(FILL, [PRODUCTS])
        products.execute("VACUUM ANALYZE product")


def _buy(scene: Scene, seconds: int) -> None:
    scene.refresh()
    asyncio.run(open_loop(scene, ORDERS_PER_SECOND, seconds))


async def _change(scene: Scene, percent: str, *, buying: int) -> dict[str, Any]:
    """Change every price, with orders in rounds of `buying` seconds; return the operation."""
    async with Api(scene.ops.gateway) as api:
        staff = Session(api, Account(scene.ops["STAFF_EMAIL"], scene.ops["STAFF_PASSWORD"]))
        body = {"kind": "change_prices", "percent": percent, "filter": {}}
        answer = await staff.call("POST", "/api/bulk-operations/", body=body)
        if not answer.is_success:
            raise Refused("POST", "/api/bulk-operations/", answer)
        while answer.body["state"] in {"queued", "running"}:
            if buying:
                await open_loop(scene, ORDERS_PER_SECOND, buying)
            else:
                await asyncio.sleep(POLL_SECONDS)
            answer = await staff.call("GET", f"/api/bulk-operations/{answer.body['id']}/")
        ended: dict[str, Any] = answer.body
        return ended


def _span(operation: dict[str, Any]) -> tuple[datetime, datetime]:
    return (
        datetime.fromisoformat(operation["started_at"]),
        datetime.fromisoformat(operation["finished_at"]),
    )


def _seconds(operation: dict[str, Any]) -> float:
    started, finished = _span(operation)
    return (finished - started).total_seconds()


def _now(scene: Scene) -> datetime:
    with database(scene.ops, "orders") as orders:
        now: datetime = orders.execute("SELECT clock_timestamp()").fetchone()[0]  # type: ignore[index]
        return now


def _p99(scene: Scene, began: datetime, ended: datetime) -> float:
    with database(scene.ops, "orders") as orders:
        await_outcomes(orders)
        return one_number(orders, P99, began, ended)
