"""What one attacker, at the rate that production's limits permit, costs everybody else.

Customers ask at a steady rate from addresses of their own while one address attacks; then the same
without. Both go through a gateway with production's limits in front of the shop that is up.
"""

import asyncio
import base64
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import aiohttp

from bench.scene import Scene
from bench.table import Figure, in_turn
from shopper.edge import production_gateway

CUSTOMERS_RATE = 40
ATTACKER = "127.66.6.6"
#: More than the limits permit, so that they are reached whatever they are.
ATTACK_RATE = 150
TIMEOUT = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True)
class Ask:
    """One request of the attacker."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def attacks(scene: Scene) -> dict[str, Callable[[], Ask]]:
    """Name → what is sent again and again. The last session is the attacker's own."""
    members = json.dumps({f"m{number}": number for number in range(600)}).encode()
    numbers = count()
    return {
        "unknown members at log-in": lambda: _json("POST", "/api/auth/token/", members),
        "wrong passwords": lambda: _json(
            "POST",
            "/api/auth/token/",
            json.dumps({"email": f"n{next(numbers)}@b.example", "password": "x" * 60}).encode(),
        ),
        "tokens of many members": lambda: Ask(
            "GET", "/api/products/", headers={"Authorization": f"Bearer {_long_token()}"}
        ),
        "searches that find nothing": lambda: Ask(
            "GET", f"/api/products/?page_size=100&search=zq{next(numbers)}"
        ),
        "pages of 100": lambda: Ask("GET", "/api/products/?page_size=100"),
        "large bodies without a token": lambda: _json("POST", "/api/orders/", b"x" * 130_000),
        "large orders of nobody": lambda: _json(
            "POST", "/api/orders/", members * 12, Authorization=f"Bearer {scene.tokens[-1][:-3]}AAA"
        ),
    }


def _json(method: str, path: str, body: bytes, **headers: str) -> Ask:
    return Ask(method, path, body, {"Content-Type": "application/json", **headers})


def _long_token() -> str:
    """A token of 560 members, as large as a header may be."""
    payload = {f"m{number}": 1 for number in range(560)}
    parts = ({"alg": "ES256", "typ": "at+jwt", "kid": "x"}, payload)
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode())
        .decode()
        .rstrip("=")
        for part in parts
    ]
    return ".".join([*encoded, "A" * 86])[:8000]


def measure_neighbours(scene: Scene, *, runs: int, seconds: int) -> list[Figure]:
    """Return the customers' p50 and p99 alone, and p99 beside each attack."""
    p50, alone = Figure("alone: p50", "ms"), Figure("alone: p99", "ms")
    figures = [p50, alone]
    with production_gateway(scene.ops) as port:
        measures = [partial(_one, scene, port, seconds, None, alone, p50)]
        for name, make in attacks(scene).items():
            figure = Figure(f"{name}: p99", "ms", anchor=alone, goal="<= 2 x")
            figures.append(figure)
            measures.append(partial(_one, scene, port, seconds, make, figure))
        in_turn(runs, measures)
    return figures


def _one(
    scene: Scene,
    port: int,
    seconds: int,
    make: Callable[[], Ask] | None,
    p99: Figure,
    p50: Figure | None = None,
) -> None:
    scene.refresh()
    times = sorted(asyncio.run(_beside(scene, port, seconds, make)))
    p99.values.append(times[int(len(times) * 0.99)] * 1000)
    if p50 is not None:
        p50.values.append(statistics.median(times) * 1000)


async def _beside(
    scene: Scene, port: int, seconds: int, make: Callable[[], Ask] | None
) -> list[float]:
    """The seconds that each of the customers' requests took."""
    base = f"http://127.0.0.1:{port}"
    times: list[float] = []
    ended = time.monotonic() + seconds
    work: list[Awaitable[None]] = [customers(scene, base, ended, times)]
    if make is not None:
        work.append(_attacker(base, ended, make))
    await asyncio.gather(*work)
    return times


async def customers(
    scene: Scene, base: str, ended: float, times: list[float], *, rate: float = CUSTOMERS_RATE
) -> None:
    """Ask at a steady rate, each from an address of its own; note the seconds of each answer."""
    sessions = [_session(f"127.10.0.{number + 1}") for number in range(len(scene.tokens) - 1)]
    orders = scene.orders(len(scene.products))

    async def ask(number: int) -> None:
        index = number % len(sessions)
        headers = {"Authorization": f"Bearer {scene.tokens[index]}"}
        path = (
            "/api/products/?page_size=20",
            f"/api/products/{scene.products[number % 100]}/",
            "/api/orders/?page_size=10",
            "",
        )[number % 4]
        began = time.monotonic()
        request = (
            sessions[index].get(base + path, headers=headers)
            if path
            else sessions[index].post(
                base + "/api/orders/", json=orders[number % len(orders)].body, headers=headers
            )
        )
        async with request as answer:
            await answer.read()
            if answer.status >= 400:
                raise RuntimeError(
                    f"a customer was answered {answer.status} at {path or 'placing an order'}"
                )
        times.append(time.monotonic() - began)

    await _steadily(rate, ended, ask)
    for session in sessions:
        await session.close()


async def _attacker(base: str, ended: float, make: Callable[[], Ask]) -> None:
    async with _session(ATTACKER) as session:

        async def ask(_number: int) -> None:
            sent = make()
            try:
                async with session.request(
                    sent.method, base + sent.path, data=sent.body or None, headers=sent.headers
                ) as answer:
                    await answer.read()
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                return  # cut off: so it should be

        await _steadily(ATTACK_RATE, ended, ask)


def _session(address: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=64, local_addr=(address, 0))
    return aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, trust_env=False)


async def _steadily(rate: float, ended: float, ask: Callable[[int], Awaitable[None]]) -> None:
    """Open loop: at the scheduled instants, whatever the answers do."""
    started, tasks = time.monotonic(), []
    for number in count():
        at = started + number / rate
        if at >= ended:
            break
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        tasks.append(asyncio.ensure_future(ask(number)))
    await asyncio.gather(*tasks)
