"""Orders accepted and confirmed per second, 16 clients, spread and hot, in turn with the baseline's
purchase.
"""

import time

from bench.anchor import Baseline
from bench.scene import Scene, database, one_number
from bench.table import Figure, in_turn
from bench.wrk import Load, run

DRAIN_SECONDS = 180.0


def measure_purchases(scene: Scene, anchor: Baseline, *, runs: int, seconds: int) -> list[Figure]:
    """Return accepted and confirmed per second, and the baseline's purchases."""
    plain = Figure("A purchase", "/s")
    accepted = Figure("accepted, 1000 products", "/s", anchor=plain, goal=">= 3 x")
    confirmed = Figure("confirmed end to end, 1000 products", "/s", anchor=plain, goal=">= 2 x")
    p99 = Figure("accept p99", "ms")
    hot = Figure("confirmed end to end, one hot product", "/s", anchor=confirmed, goal=">= 0.95 x")
    failed = Figure("answers other than 2xx, all runs", "", [0.0], goal="0")

    def spread_run() -> None:
        load, rate = _confirmed_rate(scene, 1000, seconds)
        accepted.values.append(load.good_per_second)
        p99.values.append(load.p99_ms)
        confirmed.values.append(rate)
        failed.values[0] += load.failed

    def hot_run() -> None:
        load, rate = _confirmed_rate(scene, 1, seconds)
        hot.values.append(rate)
        failed.values[0] += load.failed

    def plain_run() -> None:
        plain.values.append(
            run(anchor.url, anchor.purchases(1000), seconds=seconds).good_per_second
        )

    run(scene.ops.gateway, scene.orders(1000), seconds=2)
    _await_drain(scene)
    in_turn(runs, [plain_run, spread_run, hot_run])
    return [plain, accepted, p99, confirmed, hot, failed]


def _confirmed_rate(scene: Scene, products: int, seconds: int) -> tuple[Load, float]:
    """Load for `seconds`, wait until all is settled; confirmed orders over the time from the first
    order to the last outcome.
    """
    scene.refresh()
    with database(scene.ops, "orders") as orders:
        began = orders.execute("SELECT clock_timestamp()").fetchone()
        load = run(scene.ops.gateway, scene.orders(products), seconds=seconds)
        _await_drain(scene)
        query = """SELECT count(*) / extract(epoch FROM max(settled_at) - min(placed_at))
            FROM orders
            WHERE placed_at >= %s AND status = 'confirmed'"""
        return load, one_number(orders, query, began[0] if began else None)


def _await_drain(scene: Scene) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    with database(scene.ops, "orders") as orders:
        while one_number(orders, "SELECT count(*) FROM orders WHERE status = 'pending'"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"orders are pending after {DRAIN_SECONDS:.0f} s")
            time.sleep(0.2)
