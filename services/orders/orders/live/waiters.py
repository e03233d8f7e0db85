"""Who waits for an order to be decided."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

MOST_WAITERS = 1000
#: News that came before the one who waits for it: it travels faster than the request does.
MOST_REMEMBERED = 5000


class Waiters:
    """The orders that requests wait for; all of it in the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._decided: OrderedDict[UUID, None] = OrderedDict()
        self._count = 0

    async def wait(self, order_id: UUID, seconds: float) -> None:
        """Return when the order is decided or the time is over; at once without a free place."""
        if order_id in self._decided or self._count >= MOST_WAITERS:
            return
        event = asyncio.Event()
        self._waiting.setdefault(order_id, set()).add(event)
        self._count += 1
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._leave(order_id, event)

    def note_decided(self, order_ids: Iterable[UUID]) -> None:
        """Wake who waits for these orders, and who will come a moment too late for it."""
        for order_id in order_ids:
            self._decided[order_id] = None
            self._wake(order_id)
        while len(self._decided) > MOST_REMEMBERED:
            self._decided.popitem(last=False)

    def release_all(self) -> None:
        """Let nobody wait any longer: the process ends."""
        for order_id in self._waiting:
            self._wake(order_id)

    def order_ids(self) -> list[UUID]:
        """Return the orders that somebody waits for."""
        return list(self._waiting)

    def _wake(self, order_id: UUID) -> None:
        for event in self._waiting.get(order_id, ()):
            event.set()

    def _leave(self, order_id: UUID, event: asyncio.Event) -> None:
        self._count -= 1
        events = self._waiting[order_id]
        events.discard(event)
        if not events:
            del self._waiting[order_id]
