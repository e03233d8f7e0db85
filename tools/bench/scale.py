"""The catalogue at 1,000, 100,000 and 1,000,000 products: what a size must not cost.

Each size has a database and a products web server of its own (bench/generated); for each kind of
request the sizes take turns. Staff ask, and without the gateway, so that neither its micro-cache
nor the pages in Redis answer (docs/adr/0083-caches-are-two-seconds-old-at-most.md). Times depend on
what else the machine does; what a request costs in CPU hardly does.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.anchor import baseline
from bench.generated.calls import KINDS, calls_of, listed
from bench.generated.servers import Catalogues, Served
from bench.table import Figure, in_turn, print_table
from bench.wrk import Call, run
from shopper.accounts import Account, Session
from shopper.api import Api
from shopper.ops import Ops

SIZES = (1_000, 100_000, 1_000_000)
#: Before each load: connections are made, statements prepared and planned.
WARM_SECONDS = 1
MOST_SECONDS_TO_MAKE = 600
#: The size at which the baseline's list, which counts its rows, is put beside ours.
ANCHORED = 100_000


@dataclass
class Kind:
    """The figures of a kind of request, by the size of the catalogue."""

    p50: dict[int, Figure] = field(default_factory=dict)
    p99: dict[int, Figure] = field(default_factory=dict)
    rate: dict[int, Figure] = field(default_factory=dict)
    cpu: dict[int, Figure] = field(default_factory=dict)

    @classmethod
    def named(cls, name: str, sizes: Sequence[int]) -> "Kind":
        """Return a kind without values; each size is compared with the smallest."""
        found = cls()
        for figures in (found.p50, found.p99, found.rate, found.cpu):
            unit = "/s" if figures is found.rate else "ms"
            for size in sizes:
                figures[size] = Figure(f"{name}, {size:,}", unit, anchor=figures.get(sizes[0]))
        if len(sizes) > 1:
            found.p99[sizes[-1]].goal = "<= 3 x" if name == "search" else "<= 1.5 x"
        return found


def measure_scale(ops: Ops, sizes: Sequence[int], *, keep: bool, runs: int, seconds: int) -> None:
    """Make the catalogues, measure and print; drop them afterwards, unless they are to be kept."""
    catalogues, sizes = Catalogues.of(ops), sorted(set(sizes))
    try:
        made = [Figure(f"{size:,} products", "s", [catalogues.make(size)]) for size in sizes]
        made[-1].goal = f"<= {MOST_SECONDS_TO_MAKE}"
        print_table("catalogues made (0: kept from before)", made)
        with catalogues.served(sizes) as served:
            for title, figures in _tables(ops, served, runs=runs, seconds=seconds):
                print_table(title, figures)
    finally:
        if not keep:
            catalogues.drop()


def _tables(
    ops: Ops, served: Mapping[int, Served], *, runs: int, seconds: int
) -> Iterator[tuple[str, list[Figure]]]:
    yield from tables(_measure(ops, served, runs=runs, seconds=seconds)).items()
    if ANCHORED in served:
        figures = _beside_baseline(ops, served[ANCHORED].url, runs=runs, seconds=seconds)
        yield f"list of 20 of {ANCHORED:,} products, neither through a gateway", figures


def _beside_baseline(ops: Ops, url: str, *, runs: int, seconds: int) -> list[Figure]:
    plain = Figure("A list of 20", "/s")
    ours = Figure("list of 20, uncached", "/s", anchor=plain, goal=">= 10 x")
    with baseline(ops, products=ANCHORED) as anchor:

        def measure(figure: Figure, address: str, calls: list[Call]) -> None:
            figure.values.append(run(address, calls, seconds=seconds).good_per_second)

        in_turn(
            runs,
            [
                lambda: measure(plain, anchor.url, anchor.lists()),
                lambda: measure(ours, url, [Call("GET", listed(), _staff_token(ops))]),
            ],
        )
    return [plain, ours]


def tables(kinds: Mapping[str, Kind]) -> dict[str, list[Figure]]:
    """Return the figures as they are printed, by title."""
    deep_pages = [
        Figure(f"deep page, {size:,}", "/s", deep.values, kinds["list"].rate[size], ">= 0.9 x")
        for size, deep in kinds["deep page"].rate.items()
    ]
    title = "catalogue uncached, 16 clients: {}"
    return {
        title.format("p99"): _of(kinds, "p99"),
        title.format("p50"): _of(kinds, "p50"),
        title.format("requests"): _of(kinds, "rate"),
        title.format("CPU a request, service and PostgreSQL"): _of(kinds, "cpu"),
        title.format("deep page beside the first"): deep_pages,
    }


def _of(kinds: Mapping[str, Kind], name: str) -> list[Figure]:
    return [figure for kind in kinds.values() for figure in getattr(kind, name).values()]


def _measure(ops: Ops, served: Mapping[int, Served], *, runs: int, seconds: int) -> dict[str, Kind]:
    kinds = {name: Kind.named(name, list(served)) for name in KINDS}
    token = _staff_token(ops)
    calls = {size: asyncio.run(calls_of(each.url, size, token)) for size, each in served.items()}

    def measure(name: str, size: int) -> None:
        fresh = _staff_token(ops)
        asked = [Call(each.method, each.path, fresh) for each in calls[size][name]]
        server = served[size]
        run(server.url, asked, seconds=WARM_SECONDS)
        before = server.cpu_seconds()
        load = run(server.url, asked, seconds=seconds)
        used = server.cpu_seconds() - before
        if load.failed:
            raise RuntimeError(f"{name}, {size:,} products: {load.failed} requests failed")
        kinds[name].p50[size].values.append(load.p50_ms)
        kinds[name].p99[size].values.append(load.p99_ms)
        kinds[name].rate[size].values.append(load.per_second)
        kinds[name].cpu[size].values.append(used * 1000 / load.requests)

    measures: list[Callable[[], None]] = [
        partial(measure, name, size) for name in KINDS for size in served
    ]
    in_turn(runs, measures)
    return kinds


def _staff_token(ops: Ops) -> str:
    async def ask() -> str:
        async with Api(ops.gateway) as api:
            return await Session(api, Account(ops["STAFF_EMAIL"], ops["STAFF_PASSWORD"])).token()

    return asyncio.run(ask())
