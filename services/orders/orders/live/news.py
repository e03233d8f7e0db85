"""Listens to Redis for changed orders, and notices when there is nothing to be heard any more."""

import asyncio
import logging
import time

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from orders.announcements import CHANNEL, unpack
from orders.live.hub import Hub

logger = logging.getLogger(__name__)

#: A Redis that is frozen says nothing and breaks nothing off: it is asked, and must answer.
ASK_SECONDS, SILENCE_SECONDS, CONNECT_SECONDS = 2.0, 5.0, 2.0
PAUSE_SECONDS = 1.0


async def follow(url: str, hub: Hub) -> None:
    """Pass the news on to the hub until cancelled; while there are none, the hub knows."""
    while True:
        try:
            await _listen(url, hub)
        except Exception as error:  # whatever it is, listening goes on
            if hub.is_pushed:
                logger.warning("no news of orders", extra={"reason": f"{error!r}"[:200]})
            hub.set_pushed(False)
        await asyncio.sleep(PAUSE_SECONDS)


async def _listen(url: str, hub: Hub) -> None:
    client = redis.asyncio.Redis.from_url(
        url, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    try:
        async with client.pubsub() as pubsub:
            async with asyncio.timeout(SILENCE_SECONDS):
                await pubsub.subscribe(CHANNEL)
                await pubsub.get_message(timeout=SILENCE_SECONDS)
            hub.set_pushed(True)
            await _pass_on(pubsub, hub)
    finally:
        await client.aclose()


async def _pass_on(pubsub: PubSub, hub: Hub) -> None:
    heard_at = asked_at = time.monotonic()
    while True:
        message = await pubsub.get_message(timeout=ASK_SECONDS)
        now = time.monotonic()
        if message is not None:
            heard_at = now
            if message["type"] == "message":
                _hear(message["data"], hub)
        if now - heard_at > SILENCE_SECONDS:
            raise TimeoutError(f"silent for {SILENCE_SECONDS:.0f} s")
        if now - asked_at > ASK_SECONDS:
            asked_at = now
            async with asyncio.timeout(SILENCE_SECONDS):
                await pubsub.ping()


def _hear(data: bytes, hub: Hub) -> None:
    try:
        changes = unpack(data)
    except ValueError:
        logger.warning("news of orders that cannot be read", extra={"bytes": len(data)})
    else:
        hub.hear(changes)
