"""Reads through the gateway: a page of twenty and one product, in turn with the baseline's.

Customers' reads pass the gateway's micro-cache by, which answers the anonymous reads here. Filtered
pages may be answered from Redis: each is another, so that it costs its queries.
"""

import asyncio

from bench.anchor import Baseline
from bench.scene import CATEGORY, Scene
from bench.table import Figure, in_turn
from bench.wrk import Call, run
from shopper.api import Api

#: Of twenty: so many of the list are read in turn.
PAGES = 50


def measure_catalogue(scene: Scene, anchor: Baseline, *, runs: int, seconds: int) -> list[Figure]:
    """Return requests per second of list and retrieve, with a token as the baseline's requests
    have.
    """
    scene.refresh()
    token = scene.tokens[0]
    plain_list, plain_single = Figure("A list of 20", "/s"), Figure("A retrieve", "/s")
    page = Figure("list of 20 through the gateway", "/s", anchor=plain_list, goal=">= 6 x uncached")
    some = Figure("same, by category and price", "/s", anchor=plain_list)
    cached = Figure("same, anonymous, micro-cached", "/s", anchor=plain_list, goal=">= 20 x")
    single = Figure("retrieve through the gateway", "/s", anchor=plain_single, goal=">= 8 x")
    path = f"/api/products/?category={CATEGORY}&page_size=20"
    # Each costs a query: with another minimum it is another page.
    prices = [f"{cents / 100:.2f}" for cents in range(100, 1000)]
    filtered = [Call("GET", f"{path}&min_price={price}", token) for price in prices]
    pages = [Call("GET", page_path, token) for page_path in _pages(scene)]
    reads = [Call("GET", f"/api/products/{product}/", token) for product in scene.products]

    def measure(figure: Figure, url: str, calls: list[Call]) -> None:
        figure.values.append(run(url, calls, seconds=seconds).good_per_second)

    in_turn(
        runs,
        [
            lambda: measure(plain_list, anchor.url, anchor.lists()),
            lambda: measure(page, scene.ops.gateway, pages),
            lambda: measure(some, scene.ops.gateway, filtered),
            lambda: measure(cached, scene.ops.gateway, [Call("GET", path)]),
            lambda: measure(plain_single, anchor.url, anchor.retrieves()),
            lambda: measure(single, scene.ops.gateway, reads),
        ],
    )
    return [plain_list, page, some, cached, plain_single, single]


def _pages(scene: Scene) -> list[str]:
    """Return the paths of the first pages, each the next of the one before."""

    async def follow() -> list[str]:
        found: list[str] = []
        following: str | None = "/api/products/?page_size=20"
        async with Api(scene.ops.gateway) as api:
            while following and len(found) < PAGES:
                found.append(following)
                following = (await api.call("GET", following)).body["next"]
        return found

    return asyncio.run(follow())
