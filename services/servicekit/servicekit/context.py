"""What this thread or task works on, for the events and log lines that result from it."""

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterator

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
causation: ContextVar[UUID | None] = ContextVar("causation", default=None)
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
#: Set for a while after a lock time-out. Handlers then do not wait for rows that another
#: transaction holds, but say which events need them (messaging.router.RowsLocked).
avoid_locks: ContextVar[bool] = ContextVar("avoid_locks", default=False)

#: W3C Trace Context, version 00; an id that is all zeros is invalid.
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@contextmanager
def handling(*, event_id: UUID, trace: str | None) -> "Iterator[None]":
    """Name the event whose handler runs, for the length of the block.

    What the handler publishes has it as its cause and continues its trace.
    """
    tokens = causation.set(event_id), traceparent.set(trace)
    try:
        yield
    finally:
        causation.reset(tokens[0])
        traceparent.reset(tokens[1])


def valid_traceparent(text: str | None) -> str | None:
    """Return a traceparent that may be passed on, or None.

    A malformed value is ignored (W3C Trace Context, section 3.2.2).
    """
    return text if text and TRACEPARENT.fullmatch(text) else None
