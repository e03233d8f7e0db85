"""Many requests, each made from the seed and its number alone, so that any can be made again."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mutations import mutated
from right_requests import Request, Scene, right_request
from tqdm import tqdm
from verdict import fault
from wire import client_address, exchange

KEPT = Path(__file__).parent / "kept.jsonl"
AT_ONCE = 24
#: More would say nothing new.
MOST_FAULTS = 300
MOST_SHOWN = 600
STATUS = re.compile(rb"HTTP/1\.\d (\d{3}) ")
#: What is said before the answer to who asked whether to send the body.
CONTINUE = re.compile(rb"\AHTTP/1\.1 100 Continue\r\n\r\n")
TOKEN = re.compile(rb"eyJ[\w.-]{200,}")


@dataclass
class Outcome:
    """What a campaign came to."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def request_for(seed: int, number: int, scene: Scene) -> tuple[Request, list[str]]:
    """Return the request of that number, and the names of its mutations."""
    random = Random(f"{seed}/{number}")
    return mutated(right_request(scene, random), random)


def kept_requests(scene: Scene) -> list[tuple[str, bytes]]:
    """(name, bytes) of every input that was once answered badly; $NAMES stand for what differs from
    shop to shop.
    """
    lines = [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]
    return [(line["name"], _filled(line["bytes"], scene)) for line in lines]


def _filled(text: str, scene: Scene) -> bytes:
    for name in ("host", "customer", "staff", "product", "order"):
        text = text.replace(f"${name.upper()}", getattr(scene, name))
    return text.encode("latin-1")


def method_of(data: bytes) -> str:
    """The method as an HTTP reader sees it: it decides whether the answer has a body."""
    return data.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")


def shown(data: bytes) -> str:
    """The request as a person reads it: without tokens, not endless."""
    return repr(TOKEN.sub(b"TOKEN", data)[:MOST_SHOWN])


async def run(
    port: int,
    numbers: Iterable[int],
    make: Callable[[int], tuple[Request, list[str]]],
    *,
    away: frozenset[int] = frozenset(),
) -> Outcome:
    """Send each request over a connection from an address of its own, and judge the answers."""
    outcome = Outcome()
    waiting = iter(numbers)
    progress = tqdm(
        total=len(numbers) if hasattr(numbers, "__len__") else None, unit="req", mininterval=2
    )  # type: ignore[arg-type]

    async def sender() -> None:
        for number in waiting:
            if len(outcome.faults) >= MOST_FAULTS:
                return
            request, names = make(number)
            await _send(port, number, request, names, outcome, away)
            progress.update()

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    progress.close()
    return outcome


async def _send(
    port: int,
    number: int,
    request: Request,
    names: list[str],
    outcome: Outcome,
    away: frozenset[int],
) -> None:
    data = request.data()
    method = method_of(data)
    try:
        received = await exchange(
            port, data, source=client_address(number), method=method, patient=not request.unfinished
        )
    except TimeoutError:
        received = b""
    received = CONTINUE.sub(b"", received)
    if found := STATUS.match(received):
        outcome.statuses[int(found[1])] += 1
    wrong = fault(received, method=method, may_be_silent=request.unfinished, away=away)
    if wrong:
        outcome.faults.append(f"#{number} {'+'.join(names)}: {wrong}\n    {shown(data)}")
