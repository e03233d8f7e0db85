"""What waiting and following cost: others beside 200 who wait, and a thousand open sockets."""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import aiohttp

from bench.neighbours import customers
from bench.scene import Scene, database
from bench.table import Figure, in_turn
from native import processes
from native.layout import Layout
from shopper.accounts import Account, Session
from shopper.api import Api

WAITERS, SOCKETS, OF_ONE_ACCOUNT = 200, 1000, 10
OTHERS_RATE, ORDERS_RATE, WAIT_SECONDS = 20, 10, 10
#: Nobody decides them: they are in no outbox.
UNDECIDED = """
    INSERT INTO orders (id, user_id, status, currency, total, version, deadline)
    VALUES (%s, %s, 'pending', 'GBP', 1, 1, now() + interval '1 hour')
"""


def measure_live(scene: Scene, *, runs: int, seconds: int) -> list[Figure]:
    """Return others' p99 without and with those who wait; delay and memory of sockets."""
    alone = Figure("others alone: p99", "ms")
    beside = Figure(f"others beside {WAITERS} who wait: p99", "ms", anchor=alone, goal="<= 1.3 x")
    in_turn(
        runs,
        [
            partial(_beside_waiters, scene, seconds, 0, alone),
            partial(_beside_waiters, scene, seconds, WAITERS, beside),
        ],
    )
    p50 = Figure(f"{SOCKETS} sockets, sent to told: p50", "ms")
    p99 = Figure(f"{SOCKETS} sockets, sent to told: p99", "ms", goal="<= 1,000")
    memory = Figure("memory of a socket", "KB", goal="<= 100")
    asyncio.run(_sockets(scene, seconds, p50, p99, memory))
    return [alone, beside, p50, p99, memory]


def _beside_waiters(scene: Scene, seconds: int, count: int, figure: Figure) -> None:
    scene.refresh()
    with _undecided(scene, count) as order_ids:
        times = sorted(asyncio.run(_measured(scene, seconds, order_ids)))
    figure.values.append(times[int(len(times) * 0.99)] * 1000)


@contextmanager
def _undecided(scene: Scene, count: int) -> Iterator[list[str]]:
    """Orders of the last customer that stay pending while they are there."""
    owner = _subject(scene.tokens[-1])
    ids = [str(uuid.uuid4()) for _ in range(count)]
    with database(scene.ops, "orders") as connection:
        connection.cursor().executemany(UNDECIDED, [(order_id, owner) for order_id in ids])
        yield ids
        connection.execute("DELETE FROM orders WHERE id = ANY(%s)", [ids])


async def _measured(scene: Scene, seconds: int, order_ids: Sequence[str]) -> list[float]:
    """Return the seconds that others' requests took; who waits comes by and by, not at once."""
    times: list[float] = []
    began = time.monotonic() + (WAIT_SECONDS if order_ids else 0)
    ended = began + seconds
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {scene.tokens[-1]}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def wait(number: int, order_id: str) -> None:
            await asyncio.sleep(number * WAIT_SECONDS / len(order_ids))
            while time.monotonic() < ended:
                url = f"{scene.ops.gateway}/api/orders/{order_id}/?wait={WAIT_SECONDS}"
                async with session.get(url) as answer:
                    answer.raise_for_status()

        waiting = [asyncio.create_task(wait(*each)) for each in enumerate(order_ids)]
        await asyncio.sleep(began - time.monotonic())
        await customers(scene, scene.ops.gateway, ended, times, rate=OTHERS_RATE)
        for task in waiting:
            if task.done():
                task.result()
            task.cancel()
    return times


async def _sockets(scene: Scene, seconds: int, p50: Figure, p99: Figure, memory: Figure) -> None:
    """Open them, then place orders at a steady rate; each is told of as pending and confirmed."""
    tokens = await _accounts(scene)
    before = _memory_kilobytes(scene)
    sent: dict[str, float] = {}
    told: list[tuple[str, float]] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        followers = [
            asyncio.create_task(_follow(session, scene.ops.gateway, token, told))
            for token in tokens
            for _ in range(OF_ONE_ACCOUNT)
        ]
        opened = [await follower for follower in followers]
        memory.values.append((_memory_kilobytes(scene) - before) / len(opened))
        await _place(session, scene, tokens, seconds, sent)
        await asyncio.sleep(2)
        for reading in opened:
            reading.cancel()
    expected = len(sent) * OF_ONE_ACCOUNT
    # A change may be told before the order's own answer is read.
    delays = sorted(moment - sent[order_id] for order_id, moment in told)
    if len(delays) != expected:
        raise RuntimeError(f"{expected} outcomes were to be told, {len(delays)} were")
    p50.values.append(delays[len(delays) // 2] * 1000)
    p99.values.append(delays[int(len(delays) * 0.99)] * 1000)


async def _accounts(scene: Scene) -> list[str]:
    """Return tokens of as many accounts as the sockets need."""
    limit = asyncio.Semaphore(4)
    async with Api(scene.ops.gateway) as api:
        admin = Session(api, Account(scene.ops["STAFF_EMAIL"], scene.ops["STAFF_PASSWORD"]))

        async def token(number: int) -> str:
            account = Account(f"bench-live-{number}@bench.example", scene.ops["STAFF_PASSWORD"])
            session = Session(api, account)
            async with limit:
                await session.create(admin)
                return await session.token()

        return await asyncio.gather(*(token(n) for n in range(SOCKETS // OF_ONE_ACCOUNT)))


async def _follow(
    session: aiohttp.ClientSession,
    gateway: str,
    token: str,
    told: list[tuple[str, float]],
) -> "asyncio.Task[None]":
    """Open a socket; return the task that reads it, once it is subscribed."""
    headers = {"Authorization": f"Bearer {token}"}
    socket = await session.ws_connect(f"{gateway}/ws/orders/", headers=headers)
    await socket.send_json({"type": "subscribe", "orders": "all"})
    while (await socket.receive_json())["type"] != "subscribed":
        pass

    async def read() -> None:
        async for message in socket:
            order: dict[str, Any] = json.loads(message.data).get("order") or {}
            if order.get("status") == "confirmed":
                told.append((order["id"], time.monotonic()))

    return asyncio.create_task(read())


async def _place(
    session: aiohttp.ClientSession,
    scene: Scene,
    tokens: Sequence[str],
    seconds: int,
    sent: dict[str, float],
) -> None:
    """Place orders, one customer after the other; note when each was sent."""
    started = time.monotonic()
    for number in range(ORDERS_RATE * seconds):
        await asyncio.sleep(max(0.0, started + number / ORDERS_RATE - time.monotonic()))
        product = scene.products[number % len(scene.products)]
        body = {"lines": [{"product": product, "quantity": 1}]}
        headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
        url, began = f"{scene.ops.gateway}/api/orders/", time.monotonic()
        async with session.post(url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            sent[(await answer.json())["id"]] = began


def _memory_kilobytes(scene: Scene) -> float:
    found = processes.living()
    layout = Layout(scene.ops.state.resolve())
    own = [pid for pid in processes.of_stack(layout) if pid in found]
    [live] = [pid for pid in own if found[pid].cmdline()[-1:] == ["live"]]
    return processes.memory([live]) / 1000


def _subject(token: str) -> str:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["sub"])
