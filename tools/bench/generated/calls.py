"""What is asked of a generated catalogue, by kind of request.

Every answer is a page of twenty (a search may find fewer), in a catalogue of a thousand products as
in one of a million, so that the sizes are compared by what it takes to find them.
"""

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from bench.generated import words
from bench.wrk import Call
from shopper.api import Api, Refused

PATH = "/api/products/"
#: What of the list lies before the deep page, at most: 4,000 pages of twenty.
DEEP = 80_000
#: Different requests of a kind: what was just read must not be all that is asked for.
VARIETY = 200
#: Prices are spread evenly by their logarithm, from 1 to its power of e (statements.py).
LOG_OF_HIGHEST_PRICE = 10_000 / 1600
KINDS = (
    "list", "deep page", "by price and stock", "by attribute", "category with its branch",
    "product", "search",
)  # fmt: skip


async def calls_of(url: str, size: int, token: str) -> dict[str, list[Call]]:
    """Return the requests of each kind for the catalogue that is served there."""
    headers = {"Authorization": f"Bearer {token}"}
    products: list[str] = []
    path = listed(page_size="100")
    async with Api(url) as api:
        while len(products) < min(DEEP, size // 2):
            page = await _page(api, path, headers)
            products += [row["id"] for row in page["results"]]
            path = page["next"]
    return calls(products, path.replace("page_size=100", "page_size=20"))


def calls(products: list[str], deep: str) -> dict[str, list[Call]]:
    """Return the requests of each kind: the same for each size, but for the products."""
    chance, drawn = random.Random(1), random.Random(2)  # noqa: S311 # nosec B311: no secrets
    paths = {
        "list": [listed()],
        "deep page": [deep],
        "by price and stock": [listed(**_prices(chance)) for _ in range(VARIETY)],
        "by attribute": [listed(attributes=f"colour:{name.lower()}") for name in words.COLOURS],
        "category with its branch": [listed(category=slug) for slug in _branches()],
        "product": [f"{PATH}{key}/" for key in drawn.sample(products, min(500, len(products)))],
        "search": [listed(search=text) for text in _texts(chance)],
    }
    return {name: [Call("GET", path) for path in paths[name]] for name in KINDS}


def listed(**parameters: str) -> str:
    """Return the path of a page of twenty."""
    return f"{PATH}?{urlencode({'page_size': '20', **parameters})}"


def _prices(chance: random.Random) -> Mapping[str, str]:
    """A tenth to a half of the catalogue, wherever it is."""
    share = chance.uniform(0.1, 0.5)
    low = chance.uniform(0, 1 - share)
    ends = (math.exp(each * LOG_OF_HIGHEST_PRICE) for each in (low, low + share))
    return dict(zip(("min_price", "max_price"), (f"{end:.2f}" for end in ends), strict=True)) | {
        "in_stock": "true"
    }


def _branches() -> Iterator[str]:
    """Those of an eighth and of a fortieth of the catalogue."""
    parents = {parent for _number, parent, _slug in words.categories()}
    return (slug for number, _parent, slug in words.categories() if number in parents)


def _texts(chance: random.Random) -> Iterator[str]:
    """Common words, two of them, beginnings, and with two letters that changed places."""
    things, materials = list(words.THINGS), list(words.MATERIALS)
    for thing in things:
        material = chance.choice(materials)
        place = chance.randrange(2, len(thing) - 1)
        yield thing
        yield f"{material} {thing}"
        yield thing[:4]
        yield thing[: place - 1] + thing[place] + thing[place - 1] + thing[place + 1 :]
    yield from materials


async def _page(api: Api, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    answer = await api.call("GET", path, headers=headers)
    if not answer.is_success:
        raise Refused("GET", path, answer)
    page: dict[str, Any] = answer.body
    return page
