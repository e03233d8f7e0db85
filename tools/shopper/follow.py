"""Follows a customer's orders over the socket, however often it breaks (docs/api.md, "Live").

async for order in follow(gateway, session.token):
    print(order["id"], order["status"])
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

Order = dict[str, Any]
Token = Callable[[], Awaitable[str]]

PATH = "/ws/orders/"
#: A token is renewed this long before it ends.
RENEW_BEFORE_SECONDS = 20.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
CONNECT_SECONDS, PING_SECONDS = 10.0, 15.0
#: Refusals that pass. A 401 passes with the next token.
PASSING = frozenset({401, 429, 500, 502, 503, 504})


async def follow(
    gateway: str, token: Token, orders: str | Sequence[str] = "all"
) -> AsyncIterator[Order]:
    """Yield each state of the orders, from the present one on; never an older one than before.

    `orders` is "all", or ids. A connection that breaks is opened again after a pause by chance, so
    that not all come back at once; what changed meanwhile is yielded then.

    Raises:
        InvalidStatus: the shop refuses the socket for good.
    """
    versions: dict[str, int] = {}
    failures = 0
    while True:
        try:
            async for order in _connection(gateway, token, orders):
                failures = 0
                if order["version"] > versions.get(order["id"], 0):
                    versions[order["id"]] = order["version"]
                    yield order
        except InvalidStatus as refused:
            if refused.response.status_code not in PASSING:
                raise
        except (OSError, ConnectionClosed, InvalidHandshake):
            pass  # a TimeoutError is an OSError
        longest = min(FIRST_PAUSE_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS)
        failures = min(failures + 1, 10)
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311  # nosec B311


async def _connection(
    gateway: str, token: Token, orders: str | Sequence[str]
) -> AsyncIterator[Order]:
    """Yield what one connection tells, until it breaks."""
    address = gateway.replace("http", "ws", 1) + PATH
    headers = {"Authorization": f"Bearer {await token()}"}
    async with connect(
        address,
        additional_headers=headers,
        open_timeout=CONNECT_SECONDS,
        ping_interval=PING_SECONDS,
        proxy=None,
    ) as socket:
        await socket.send(json.dumps({"type": "subscribe", "orders": orders}))
        renewing: asyncio.Task[None] | None = None
        try:
            async for text in socket:
                message = json.loads(text)
                if "token_expires_at" in message:
                    renewing = asyncio.create_task(
                        _renew(socket, token, message["token_expires_at"])
                    )
                for order in [*message.get("orders", []), message.get("order")]:
                    if order:
                        yield order
        finally:
            if renewing:
                renewing.cancel()


async def _renew(socket: ClientConnection, token: Token, expires_at: float) -> None:
    """Show a new token before the last ends; the answer says when that one does."""
    await asyncio.sleep(max(0.0, expires_at - time.time() - RENEW_BEFORE_SECONDS))
    with suppress(ConnectionClosed):
        await socket.send(json.dumps({"type": "token", "token": await token()}))
