"""What an open socket costs."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from uuid_utils.compat import uuid7
from websockets.asyncio.client import connect

from servicekit.testing.processes import container_memory_mib, memory_of_family_mib
from servicekit.testing.tokens import make_token
from tests.live.client import PATIENCE_SECONDS, Live
from tests.live.conftest import StartLive

CUSTOMERS, OF_EACH = 60, 10
MOST_KILOBYTES = 100


def test_thousands_of_sockets_fit_into_the_container(start_live: StartLive) -> None:
    """Two thousand are the most (orders.live.hub); here are a few hundred."""
    with start_live() as live:
        asyncio.run(hold(live, customers=2))  # what the first sockets load stays
        before = memory_of_family_mib(live.process.pid)
        after = asyncio.run(hold(live, customers=CUSTOMERS))

    each_kilobytes = (after - before) * 1024 * 1.024 / (CUSTOMERS * OF_EACH)
    print(f"{each_kilobytes:.0f} KB a socket, {before:.0f} MiB without any")
    assert each_kilobytes < MOST_KILOBYTES
    assert before + 2000 * each_kilobytes / 1024 < container_memory_mib("medium")


async def hold(live: Live, *, customers: int) -> float:
    """Open ten sockets of each customer; return the memory of the process, in MiB."""
    async with AsyncExitStack() as opened:
        for _ in range(customers):
            token = make_token(uuid7())
            await asyncio.gather(*[follow(opened, live, token) for _ in range(OF_EACH)])
        return memory_of_family_mib(live.process.pid)


async def follow(opened: AsyncExitStack, live: Live, token: str) -> Any:
    socket = await opened.enter_async_context(
        connect(
            f"ws://{live.address}/ws/orders/",
            additional_headers={"Authorization": f"Bearer {token}"},
            open_timeout=PATIENCE_SECONDS,
            ping_interval=None,
            proxy=None,
        )
    )
    await socket.send(json.dumps({"type": "subscribe", "orders": "all"}))
    while "subscribed" not in str(await socket.recv()):
        pass
