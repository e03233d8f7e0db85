"""`/ws/orders/`: a client's socket, from its token to its close."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any, NoReturn

import orjson
from asgiref.sync import sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import close_old_connections

from orders.live import measures, messages
from orders.live.hub import POLICY, Hub, TooManySockets
from orders.live.sessions import (
    SUBPROTOCOL,
    Refused,
    bearer_token,
    check_origin,
    verified_claims,
)
from orders.live.subscriber import Subscriber
from servicekit import context
from servicekit.auth.jwks import KeysUnavailable
from servicekit.auth.tokens import Claims
from servicekit.http.problems import CONTENT_TYPE, TITLES, problem_body

#: More messages than this in so many seconds, and the socket is closed.
MOST_MESSAGES, MESSAGES_SECONDS = 20, 10.0
#: How long a message may wait for a client that does not read.
SLOW_SECONDS = 4.0
UNSUPPORTED_DATA = 1003


class OrdersSocket(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket. What it is told goes through its subscriber, in one task; it hears in another."""

    hub: Hub  # as_asgi(hub=…)
    subscriber: Subscriber
    sender: asyncio.Task[None] | None = None

    def __init__(self, *, hub: Hub) -> None:
        super().__init__()
        self.hub = hub
        self._heard_at: deque[float] = deque(maxlen=MOST_MESSAGES)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket, and let it go however it ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()

    async def connect(self) -> None:
        """Let the bearer of a good token in, or refuse with a problem before the upgrade."""
        headers = dict(self.scope["headers"])
        context.request_id.set(headers.get(b"x-request-id", b"").decode("latin-1")[:64])
        try:
            self.subscriber = await self._admitted()
        except Refused as refused:
            await self._refuse(refused)
        offered = SUBPROTOCOL in self.scope["subprotocols"]
        await self.accept(SUBPROTOCOL if offered else None)
        self.subscriber.tell({"type": "ready", **_expiry(self.subscriber)})
        self.subscriber.tell(self.hub.updates())
        self.sender = asyncio.create_task(self._send_all(self.subscriber))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Do what a message says."""
        subscriber = self.subscriber
        if text_data is None:
            subscriber.close(UNSUPPORTED_DATA, "messages are text")
        elif self._is_flooded():
            subscriber.close(POLICY, "too many messages")
        else:
            await self._obey(subscriber, text_data)

    async def _obey(self, subscriber: Subscriber, text: str) -> None:
        try:
            message = messages.read(text)
        except messages.InvalidMessage:
            subscriber.tell({"type": "error", "code": "invalid_message"})
            return
        if isinstance(message, messages.Renew):
            await self._renew(subscriber, message.token)
        else:
            orders = message.orders
            self.hub.subscribe(subscriber, "all" if orders == "all" else frozenset(orders))

    async def _renew(self, subscriber: Subscriber, token: str) -> None:
        """Go on with a new token of the same person."""
        try:
            claims = await _verify(token)
        except KeysUnavailable:
            subscriber.tell({"type": "error", "code": "service_unavailable"})
            return
        except Refused:
            claims = None
        if claims is None or claims.subject != subscriber.claims.subject:
            subscriber.close(POLICY, "the token is not good")
        else:
            subscriber.claims = claims
            subscriber.tell({"type": "token", **_expiry(subscriber)})

    async def _admitted(self) -> Subscriber:
        if self.scope["query_string"]:
            raise Refused(400, "unknown_parameter", "The address of a socket has no parameters.")
        check_origin(self.scope)
        try:
            subscriber = Subscriber(await _verify(bearer_token(self.scope)))
            self.hub.admit(subscriber)
        except KeysUnavailable:
            raise Refused(503, "service_unavailable", "Tokens cannot be checked now.") from None
        except TooManySockets as error:
            if error.is_users:
                detail = "This account has too many sockets open. Close one."
                raise Refused(429, "too_many_sockets", detail) from None
            raise Refused(503, "service_unavailable", "Too many sockets are open.") from None
        return subscriber

    async def _refuse(self, refused: Refused) -> NoReturn:
        """Answer the handshake with a problem (ASGI, Websocket Denial Response)."""
        body = problem_body(
            status=refused.status,
            code=refused.code,
            title=TITLES.get(refused.status, "Service unavailable"),
            detail=refused.detail,
            instance=self.scope["path"],
        )
        headers = [(b"content-type", CONTENT_TYPE.encode())]
        if refused.status in {429, 503}:
            headers.append((b"retry-after", b"5"))
        start = {"type": "websocket.http.response.start", "status": refused.status}
        await self.base_send({**start, "headers": headers})
        await self.base_send({"type": "websocket.http.response.body", "body": orjson.dumps(body)})
        raise StopConsumer

    async def _send_all(self, subscriber: Subscriber) -> None:
        """Send what waits, until the socket is to end; a client that does not read is dropped."""
        with suppress(OSError):  # the client has left, which `receive` hears as well
            while subscriber.end is None:
                await subscriber.bell.wait()
                await self._send_waiting(subscriber)
            code, reason = subscriber.end
            measures.CLOSED.labels(reason).inc()
            self.hub.leave(subscriber)
            await self.close(code, reason)

    async def _send_waiting(self, subscriber: Subscriber) -> None:
        for text in subscriber.take():
            try:
                async with asyncio.timeout(SLOW_SECONDS):
                    await self.send(text_data=text)
            except TimeoutError:
                subscriber.close(POLICY, "messages are not read")
                return
            measures.MESSAGES.inc()

    def _is_flooded(self) -> bool:
        now = time.monotonic()
        is_full = len(self._heard_at) == MOST_MESSAGES
        is_flooded = is_full and now - self._heard_at[0] < MESSAGES_SECONDS
        self._heard_at.append(now)
        return is_flooded

    def _leave(self) -> None:
        if self.sender:
            self.sender.cancel()
        if hasattr(self, "subscriber"):
            self.hub.leave(self.subscriber)


async def _verify(token: str) -> Claims:
    """Return what a good token says; in a thread, as it may ask users or the database."""

    def verified() -> Claims:
        close_old_connections()
        return verified_claims(token)

    return await sync_to_async(verified, thread_sensitive=False)()


def _expiry(subscriber: Subscriber) -> dict[str, int]:
    """Return when the client must have shown another token, in seconds since 1970."""
    return {"token_expires_at": subscriber.claims.expires_at}
