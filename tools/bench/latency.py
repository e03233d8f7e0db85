"""Placed to confirmed at a steady rate: open loop, scheduled arrivals; the times are the database's
own.
"""

import asyncio
import time
from typing import Any

import aiohttp

from bench.scene import Scene, database
from bench.table import Figure, in_turn

QUERY = """
    SELECT percentile_cont(%s) WITHIN GROUP (ORDER BY extract(epoch
        FROM settled_at - placed_at) * 1000)
    FROM orders WHERE placed_at >= %s AND status = 'confirmed'
"""


def measure_latency(
    scene: Scene, rates: dict[str, float], *, runs: int, seconds: int
) -> list[Figure]:
    """Return p50 and p99 of placed to confirmed at each rate (name → orders per second)."""
    figures: list[Figure] = []
    measures = []
    for name, rate in rates.items():
        goal = {"200/s": ("<= 10", ""), "500/s": ("", "<= 30")}.get(name, ("", ""))
        p50, p99 = (
            Figure(f"{name}: p50", "ms", goal=goal[0]),
            Figure(f"{name}: p99", "ms", goal=goal[1]),
        )
        reached = Figure(f"{name}: accepted", "/s")
        figures += [reached, p50, p99]
        measures.append(
            lambda rate=rate, p50=p50, p99=p99, reached=reached: _one(
                scene, rate, seconds, p50, p99, reached
            )
        )
    in_turn(runs, measures)
    return figures


def _one(
    scene: Scene, rate: float, seconds: int, p50: Figure, p99: Figure, reached: Figure
) -> None:
    scene.refresh()
    with database(scene.ops, "orders") as orders:
        began = orders.execute("SELECT clock_timestamp()").fetchone()
        accepted = asyncio.run(open_loop(scene, rate, seconds))
        await_outcomes(orders)
        for figure, share in ((p50, 0.5), (p99, 0.99)):
            row = orders.execute(QUERY, [share, began[0] if began else None]).fetchone()
            figure.values.append(float(row[0]) if row and row[0] is not None else float("nan"))
    reached.values.append(accepted / seconds)


async def open_loop(scene: Scene, rate: float, seconds: int) -> int:
    """Send at the scheduled instants whatever the answers do; return how many were accepted."""
    accepted = 0
    calls = scene.orders(len(scene.products))
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:

        async def place(number: int) -> None:
            nonlocal accepted
            call = calls[number % len(calls)]
            headers = {"Authorization": f"Bearer {call.token}"}
            async with session.post(
                scene.ops.gateway + call.path, json=call.body, headers=headers
            ) as answer:
                await answer.read()
                accepted += answer.status == 201

        started, tasks = time.monotonic(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(place(number)))
        await asyncio.gather(*tasks)
    return accepted


def await_outcomes(orders: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (
            orders.execute("SELECT count(*) FROM orders WHERE status = 'pending'").fetchone()[0]
            == 0
        ):
            return
        time.sleep(0.1)
    raise TimeoutError("orders are still pending")
