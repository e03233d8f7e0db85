"""What one `live` process knows: its sockets, its waiters, and the reader that they share.

News of Redis say which orders have changed; the one reader reads those from the database and tells
each socket. One question at a time, so that no state is ever older than the one before it. What
news did not tell is found by reading again: often while Redis is away, seldom otherwise.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from django.db import close_old_connections

from orders import selectors
from orders.announcements import Change
from orders.live import measures
from orders.live.subscriber import ALL, Follows, Subscriber
from orders.live.waiters import Waiters
from orders.models import Status
from orders.selectors import OrderState
from servicekit.auth import revocations
from servicekit.operations import heartbeats

logger = logging.getLogger(__name__)
T = TypeVar("T")
States = dict[UUID, list[OrderState]]

MOST_SOCKETS, MOST_SOCKETS_OF_A_USER = 2000, 10
#: The state of a subscription to all orders is that of the newest.
NEWEST = 20
#: Requests that wait, and the sockets: how often their orders are read without any news.
TICK_SECONDS, REREAD_SECONDS, REREAD_POLLED_SECONDS = 1.0, 5.0, 1.0
PAUSE_SECONDS = 1.0
POLICY = 1008


class TooManySockets(Exception):
    """There is no place for another socket: of this user (`is_users`), or of anybody."""

    def __init__(self, *, is_users: bool) -> None:
        super().__init__()
        self.is_users = is_users


class Hub:
    """The sockets and the waiters of a process; everything but the reading in its event loop."""

    def __init__(self) -> None:
        self.waiters = Waiters()
        self.is_pushed = False
        self._sockets: dict[UUID, set[Subscriber]] = {}
        self._count = 0
        self._changed: set[UUID] = set()
        self._joining: dict[Subscriber, Follows] = {}
        self._bell = asyncio.Event()
        self._next_tick = self._next_reread = 0.0
        # One thread, so one question at a time and one connection.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")

    def admit(self, subscriber: Subscriber) -> None:
        """Take a socket in; `leave` lets it go.

        Raises:
            TooManySockets: there is no place for it.
        """
        own = self._sockets.get(subscriber.claims.subject, set())
        if len(own) >= MOST_SOCKETS_OF_A_USER:
            raise TooManySockets(is_users=True)
        if self._count >= MOST_SOCKETS:
            raise TooManySockets(is_users=False)
        self._sockets.setdefault(subscriber.claims.subject, own).add(subscriber)
        self._count += 1
        measures.SOCKETS.set(self._count)

    def leave(self, subscriber: Subscriber) -> None:
        """Let a socket go; twice is once."""
        user_id = subscriber.claims.subject
        own = self._sockets.get(user_id, set())
        if subscriber in own:
            own.discard(subscriber)
            self._count -= 1
        if not own:
            self._sockets.pop(user_id, None)
        self._joining.pop(subscriber, None)
        measures.SOCKETS.set(self._count)

    def subscribe(self, subscriber: Subscriber, orders: Follows) -> None:
        """Have the socket follow these orders, or all; from when it is told their state."""
        self._joining[subscriber] = orders
        self._bell.set()

    def hear(self, changes: Iterable[Change]) -> None:
        """Take news of changed orders."""
        found = list(changes)
        self.waiters.note_decided(
            change.order_id for change in found if change.status != Status.PENDING
        )
        known = {change.order_id for change in found if change.user_id in self._sockets}
        if known:
            self._changed |= known
            self._bell.set()

    def set_pushed(self, is_pushed: bool) -> None:
        """Note whether there are news; what was missed without them is read at once."""
        was_pushed, self.is_pushed = self.is_pushed, is_pushed
        if was_pushed is not is_pushed:
            for subscriber in self._all():
                subscriber.tell(self.updates())
        self._next_reread = 0.0
        self._bell.set()

    def updates(self) -> dict[str, str]:
        """Return the message that says whether changes are pushed, or polled for."""
        return {"type": "updates", "updates": "pushed" if self.is_pushed else "polled"}

    async def run(self) -> None:
        """Read and tell, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._next_tick - time.monotonic())):
                    await self._bell.wait()
            self._bell.clear()
            try:
                await self._tell_changes()
                if time.monotonic() >= self._next_tick:
                    self._next_tick = time.monotonic() + TICK_SECONDS
                    await self._tick()
            except Exception:  # the database is away, most likely: nobody is told meanwhile
                logger.warning("orders cannot be read", exc_info=True)
                self._next_reread = 0.0
                await asyncio.sleep(PAUSE_SECONDS)

    async def _tell_changes(self) -> None:
        joining, changed = dict(self._joining), set(self._changed)
        if not joining and not changed:
            return
        known = await self._states(
            ((each.claims.subject, follows) for each, follows in joining.items()), changed
        )
        # Only now: what could not be read is read again.
        self._changed -= changed
        for subscriber, follows in joining.items():
            # It may have left meanwhile, or asked for others.
            if self._joining.get(subscriber) is follows:
                del self._joining[subscriber]
                subscriber.tell_subscribed(follows, known.get(subscriber.claims.subject, []))
        self._offer(known)

    async def _tick(self) -> None:
        now = time.time()
        for subscriber in self._all():
            if subscriber.claims.expires_at <= now:
                subscriber.close(POLICY, "the token has expired")
        decided, ended = await self._read(self._look_round(self._all(), self.waiters.order_ids()))
        self.waiters.note_decided(decided)
        for subscriber in ended:
            subscriber.close(POLICY, "the session has ended")
        if time.monotonic() >= self._next_reread:
            pause = REREAD_SECONDS if self.is_pushed else REREAD_POLLED_SECONDS
            self._next_reread = time.monotonic() + pause
            followed = ((each.claims.subject, each.follows) for each in self._all())
            self._offer(await self._states(followed, set()))

    def _look_round(
        self, sockets: list[Subscriber], waited_for: list[UUID]
    ) -> Callable[[], tuple[list[UUID], list[Subscriber]]]:
        """Return what to ask each second: which orders are decided, and whose sessions ended."""
        finding = "" if self.is_pushed else "no news from Redis: orders are polled for"

        def ask() -> tuple[list[UUID], list[Subscriber]]:
            heartbeats.beat("live", finding)
            decided = selectors.decided_among(order_ids=waited_for)
            return decided, [each for each in sockets if revocations.is_revoked(each.claims)]

        return ask

    async def _states(
        self, followed: Iterable[tuple[UUID, Follows]], order_ids: set[UUID]
    ) -> States:
        """Return, by customer, the states of what each follows, and of these orders."""
        customers: set[UUID] = set()
        for user_id, follows in followed:
            if follows == ALL:
                customers.add(user_id)
            else:
                order_ids = order_ids.union(follows)
        found = await self._read(
            lambda: [
                *selectors.list_newest_states(user_ids=customers, each=NEWEST),
                *selectors.list_states(order_ids=order_ids),
            ]
        )
        states: States = {}
        # Each once, as it was read last.
        for state in {state.id: state for state in found}.values():
            states.setdefault(state.user_id, []).append(state)
        return states

    def _offer(self, known: States) -> None:
        for user_id, states in known.items():
            for subscriber in self._sockets.get(user_id, ()):
                for state in states:
                    subscriber.offer(state)

    def _all(self) -> list[Subscriber]:
        return [each for own in self._sockets.values() for each in own]

    async def _read(self, question: Callable[[], T]) -> T:
        def ask() -> T:
            close_old_connections()
            return question()

        return await asyncio.get_running_loop().run_in_executor(self._reader, ask)
