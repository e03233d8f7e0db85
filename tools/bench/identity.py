"""Whether the time of an answer tells who has an account: log-in, registration and reset, for
addresses with an account and without.

The two are asked in turn, in a random sequence within each pair, so a busy machine slows down both
alike. No limit is lifted: each address is tried once at each call, of the five guesses and three
mails that anybody has without a pause. Only the gateway's limit by client address must let one
machine through, as it does while the shop listens on the loopback address alone.
"""

import asyncio
import random
import secrets
import statistics
import time
from collections.abc import Callable

from bench.table import Figure
from demo.progress import work_through
from shopper.accounts import Account, Session
from shopper.api import Api, Refused
from shopper.ops import Ops

SAMPLES = 500
#: What the medians may differ by.
GOAL = "0.95 to 1.05"
PASSWORD = "a long enough passphrase"  # noqa: S105 - of accounts that are made up
Body = Callable[[str], dict[str, str]]
#: What is asked, and the status of its answer.
CALLS: dict[str, tuple[str, Body, int]] = {
    "log-in": (
        "/api/auth/token/",
        lambda email: {"email": email, "password": "not the passphrase"},
        401,
    ),
    "sign-up": ("/api/users/", lambda email: {"email": email, "password": PASSWORD}, 202),
    "reset": ("/api/users/password-reset/", lambda email: {"email": email}, 202),
}


def measure_identity(ops: Ops) -> list[Figure]:
    """Return the time of each call for unknown addresses, and for known ones beside it."""
    return asyncio.run(_measure(ops))


async def _measure(ops: Ops) -> list[Figure]:
    run = secrets.token_hex(4)
    known = [f"known-{run}-{number}@bench.example" for number in range(SAMPLES)]
    unknown = [f"other-{run}-{number}@bench.example" for number in range(SAMPLES)]
    figures = {name: _pair(name) for name in CALLS}
    async with Api(ops.gateway) as api:
        await _make_accounts(api, ops, known)
        await _warm_up(api, run)
        for pair in zip(unknown, known, strict=True):
            for name in CALLS:
                await _ask_both(api, name, pair, figures[name])
    return [figure for pair in figures.values() for figure in (*pair, _difference(*pair))]


def _pair(name: str) -> tuple[Figure, Figure]:
    unknown = Figure(f"{name}, no account", "ms")
    return unknown, Figure(f"{name}, with an account", "ms", anchor=unknown, goal=GOAL)


async def _make_accounts(api: Api, ops: Ops, emails: list[str]) -> None:
    admin = Session(api, Account(ops["STAFF_EMAIL"], ops["STAFF_PASSWORD"]))

    async def make(email: str) -> None:
        await Session(api, Account(email, PASSWORD)).create(admin)

    await work_through("accounts", emails, make, parallel=3)


async def _warm_up(api: Api, run: str) -> None:
    for number in range(10):
        for name in CALLS:
            await _timed(api, name, f"first-{run}-{number}@bench.example")


async def _ask_both(
    api: Api, name: str, pair: tuple[str, str], figures: tuple[Figure, Figure]
) -> None:
    sides = list(zip(pair, figures, strict=True))
    random.shuffle(sides)
    for email, figure in sides:
        figure.values.append(await _timed(api, name, email))


async def _timed(api: Api, name: str, email: str) -> float:
    """Ask once; return the milliseconds to the answer.

    Raises:
        Refused: the answer is another than everybody's, such as a limit's.
    """
    path, body, status = CALLS[name]
    began = time.perf_counter()
    answer = await api.once("POST", path, headers={}, body=body(email))
    took = (time.perf_counter() - began) * 1000
    if answer.status != status:
        raise Refused("POST", path, answer)
    return took


def _difference(unknown: Figure, known: Figure) -> Figure:
    """Return the median of each pair's difference: what an attacker who repeats would see."""
    pairs = zip(unknown.values, known.values, strict=True)
    median = statistics.median(second - first for first, second in pairs)
    return Figure("  median difference of a pair", "ms", [median])
