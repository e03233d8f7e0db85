"""The ASGI application of `live`, and the server that runs it."""

import asyncio
import logging
from collections.abc import Coroutine
from types import FrameType
from typing import Any

import uvicorn
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path, re_path

from orders.live import news
from orders.live.hub import Hub
from orders.live.requests import Receive, Requests, Scope, Send
from orders.live.sockets import OrdersSocket

#: A message holds a hundred ids, or a token.
MAX_MESSAGE_BYTES = 16 * 1024
PING_SECONDS, PONG_SECONDS = 20.0, 20.0
#: nginx keeps idle connections 60 s; the side that is asked must not close first.
KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 8


class Live:
    """Serves one hub: what waits, what follows, and the tasks that feed it."""

    def __init__(self) -> None:
        self.hub = Hub()
        socket = OrdersSocket.as_asgi(hub=self.hub)
        elsewhere = re_path("", refuse)  # type: ignore[arg-type]  # Channels leads to applications
        sockets = URLRouter([path("ws/orders/", socket), elsewhere])
        self._application = ProtocolTypeRouter(
            {"http": Requests(self.hub.waiters), "websocket": sockets, "lifespan": self._live}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the process's life."""
        await self._application(scope, receive, send)

    async def _live(self, _scope: Scope, receive: Receive, send: Send) -> None:
        tasks = [asyncio.create_task(each) for each in self._feeds()]
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        for task in tasks:
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    def _feeds(self) -> list[Coroutine[Any, Any, None]]:
        feeds = [self.hub.run()]
        if settings.REDIS_URL:
            feeds.append(news.follow(settings.REDIS_URL, self.hub))
        return feeds


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Refuse a socket at any other address; without it Channels raises, and that is a 500."""
    await send({"type": "websocket.close"})


class Server(uvicorn.Server):
    """Lets nobody wait any longer once it is to stop; uvicorn closes the sockets with 1012."""

    def __init__(self, live: Live, *, host: str, port: int) -> None:
        config = uvicorn.Config(
            live,
            host=host,
            port=port,
            http="httptools",
            loop="uvloop",
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE_BYTES,
            # A window for each socket would be most of its memory; and no bomb can be packed.
            ws_per_message_deflate=False,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PONG_SECONDS,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # The gateway says which of these are true.
            proxy_headers=False,
            backlog=1024,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        super().__init__(config)
        self._live = live
        # It tells of every socket, with its address, and of each that we refuse as of an error.
        log = logging.getLogger("uvicorn.error")
        log.setLevel(logging.WARNING)
        log.addFilter(lambda record: "completing handshake" not in record.getMessage())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; uvicorn's own would end the process by the signal once more, as if it had failed.

        It is called between two steps of the event loop.
        """
        self._live.hub.waiters.release_all()
        self.should_exit = True
