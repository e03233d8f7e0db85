"""Reads through the gateway: a page of twenty and one product, in turn with the baseline's.

A customer's reads may be answered from Redis; anonymous reads of one list are answered by the
gateway's micro-cache.
"""

from bench.anchor import Baseline
from bench.scene import CATEGORY, Scene
from bench.table import Figure, in_turn
from bench.wrk import Call, run


def measure_catalogue(scene: Scene, anchor: Baseline, *, runs: int, seconds: int) -> list[Figure]:
    """Return requests per second of list and retrieve, with a token as the baseline's requests
    have.
    """
    scene.refresh()
    token = scene.tokens[0]
    plain_list, plain_single = Figure("A list of 20", "/s"), Figure("A retrieve", "/s")
    page = Figure("list of 20 through the gateway", "/s", anchor=plain_list, goal=">= 5 x uncached")
    cached = Figure("same, anonymous, micro-cached", "/s", anchor=plain_list, goal=">= 20 x")
    single = Figure("retrieve through the gateway", "/s", anchor=plain_single, goal=">= 4 x")
    path = f"/api/products/?category={CATEGORY}&page_size=20"
    # Each costs a query: with another minimum it is another page.
    prices = [f"{cents / 100:.2f}" for cents in range(100, 1000)]
    pages = [Call("GET", f"{path}&min_price={price}", token) for price in prices]
    reads = [Call("GET", f"/api/products/{product}/", token) for product in scene.products]

    def measure(figure: Figure, url: str, calls: list[Call]) -> None:
        figure.values.append(run(url, calls, seconds=seconds).good_per_second)

    in_turn(
        runs,
        [
            lambda: measure(plain_list, anchor.url, anchor.lists()),
            lambda: measure(page, scene.ops.gateway, pages),
            lambda: measure(cached, scene.ops.gateway, [Call("GET", path)]),
            lambda: measure(plain_single, anchor.url, anchor.retrieves()),
            lambda: measure(single, scene.ops.gateway, reads),
        ],
    )
    return [plain_list, page, cached, plain_single, single]
