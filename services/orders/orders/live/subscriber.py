"""What one socket is still to be told: the newest state of each order, and never an older one."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Literal
from uuid import UUID

import orjson

from orders.selectors import OrderState
from servicekit.auth.tokens import Claims

#: Versions that are remembered. A state that was told long ago may be told once more.
MOST_VERSIONS = 500
#: A socket with more to be told than this does not read.
MOST_WAITING = 200
ALL: Literal["all"] = "all"
#: What a socket follows: orders by id, or all of its customer.
Follows = frozenset[UUID] | Literal["all"]


class Subscriber:
    """One socket's subscription, and the messages that wait for it.

    Of an order with several changes since the last message, the last alone is told: what waits
    stays small however slowly a client reads.
    """

    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self.follows: Follows = frozenset()
        self.bell = asyncio.Event()
        #: Close code and reason, once the socket is to end.
        self.end: tuple[int, str] | None = None
        self._told: OrderedDict[UUID, int] = OrderedDict()
        self._messages: list[dict[str, Any]] = []
        self._states: dict[UUID, OrderState] = {}

    def wants(self, state: OrderState) -> bool:
        """Whether the socket follows the order, and may."""
        if state.user_id != self.claims.subject:
            return False
        return self.follows == ALL or state.id in self.follows

    def tell(self, message: dict[str, Any]) -> None:
        """Tell something that is about no order, before all changes that wait."""
        self._messages.append(message)
        self._ring()

    def tell_subscribed(self, follows: Follows, states: Sequence[OrderState]) -> None:
        """Follow these from now on, and tell the state of them."""
        self.follows = follows
        found = [state for state in states if self.wants(state)]
        for state in found:
            self._states.pop(state.id, None)
            self._remember(state)
        missing = set() if follows == ALL else set(follows) - {each.id for each in found}
        self.tell(
            {
                "type": "subscribed",
                "orders": [_body(state) for state in found],
                # Another's order does not exist for this client.
                "not_found": sorted(map(str, missing)),
            }
        )

    def offer(self, state: OrderState) -> None:
        """Tell of a change, unless this version or a later one was told."""
        if not self.wants(state) or state.version <= self._told.get(state.id, 0):
            return
        self._remember(state)
        self._states[state.id] = state
        self._ring()

    def close(self, code: int, reason: str) -> None:
        """End the socket with this code; the first who says so is heard."""
        self.end = self.end or (code, reason)
        self.bell.set()

    def take(self) -> Iterator[str]:
        """Yield each message that waits, and forget it."""
        self.bell.clear()
        while self._messages or self._states:
            if self._messages:
                message = self._messages.pop(0)
            else:
                state = self._states.pop(next(iter(self._states)))
                message = {"type": "order", "order": _body(state)}
            yield orjson.dumps(message).decode()

    def _remember(self, state: OrderState) -> None:
        self._told[state.id] = state.version
        self._told.move_to_end(state.id)
        if len(self._told) > MOST_VERSIONS:
            self._told.popitem(last=False)

    def _ring(self) -> None:
        if len(self._messages) + len(self._states) > MOST_WAITING:
            self.close(1008, "messages are not read")
        self.bell.set()


def _body(state: OrderState) -> dict[str, Any]:
    return {
        "id": state.id,
        "status": state.status,
        "version": state.version,
        "total": str(state.total),
        "currency": state.currency,
        "placed_at": _moment(state.placed_at),
        "settled_at": state.settled_at and _moment(state.settled_at),
    }


def _moment(value: Any) -> str:
    return str(value.isoformat()).replace("+00:00", "Z")
