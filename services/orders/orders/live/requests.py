"""HTTP of `live`: waits for the order that the request names, then has Django answer.

Django's own ASGI handler gives each request a thread, and so a database connection, of its own.
Here the handler that `web` runs answers from a few threads that stay: same middleware, same bytes.
"""

import asyncio
import contextlib
import io
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from orders.api.waiting import LONGEST_WAIT_SECONDS
from orders.live import measures
from orders.live.waiters import Waiters
from servicekit.http.wsgi import Handler

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[str, str]]

THREADS = 4
#: The gateway leads here whoever waits (orders.api.outcomes).
OUTCOME = re.compile(
    r"/internal/outcomes/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/"
)
SECONDS = re.compile(r"\d{1,2}")
METHODS = frozenset({"GET", "HEAD"})


class Requests:
    """The ASGI application for HTTP."""

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters
        self._handler = Handler()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that leaves waits no longer."""
        found = OUTCOME.fullmatch(scope["path"])
        if found and not await self._wait(UUID(found[1]), _seconds(scope), receive):
            return
        status, headers, body = await self._answer(scope)
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    async def _wait(self, order_id: UUID, seconds: int, receive: Receive) -> bool:
        """Wait for the order; return whether anybody still wants to know."""
        waiting = asyncio.ensure_future(self._waiters.wait(order_id, seconds))
        leaving = asyncio.ensure_future(_left(receive))
        with measures.WAITERS.track_inprogress():
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        is_wanted = not leaving.done()
        for task in (waiting, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return is_wanted

    async def _answer(self, scope: Scope) -> tuple[int, Headers, bytes]:
        if scope["method"] not in METHODS:
            return 405, [("Allow", "GET, HEAD")], b""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._ask_django, _environ(scope))

    def _ask_django(self, environ: dict[str, Any]) -> tuple[int, Headers, bytes]:
        started: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, *_error: Any) -> Any:
            started.append((status, headers))

        response = self._handler(environ, start_response)
        try:
            body = b"".join(response)
        finally:
            response.close()
        status, headers = started[0]
        return int(status[:3]), headers, body


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _seconds(scope: Scope) -> int:
    """Return how long to wait; what cannot be read is Django's to refuse, at once."""
    [text] = parse_qs(scope["query_string"].decode("latin-1")).get("seconds", ["0"])[:1]
    return min(int(text), LONGEST_WAIT_SECONDS) if SECONDS.fullmatch(text) else 0


def _environ(scope: Scope) -> dict[str, Any]:
    """Return the request as WSGI has it (PEP 3333)."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        # No body is read here, whatever is said of it.
        if key not in {"CONTENT_LENGTH", "CONTENT_TYPE", "TRANSFER_ENCODING"}:
            known = environ.get(f"HTTP_{key}")
            environ[f"HTTP_{key}"] = text if known is None else f"{known},{text}"
    return environ
