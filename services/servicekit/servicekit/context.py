"""What is being worked on right now, for the events and log lines that come of it."""

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
#: Set after a lock time-out: handlers do not wait for rows that others hold, but say which events need them (router.RowsLocked).
avoid_locks: ContextVar[bool] = ContextVar("avoid_locks", default=False)


#: W3C Trace Context, version 00; an id of nothing but zeros is none.
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@contextmanager
def handling(*, event_id: UUID, trace: str | None) -> "Iterator[None]":
    """Mark the event whose handler runs: what it publishes is caused by it and continues its trace."""
    tokens = causation.set(event_id), traceparent.set(trace)
    try:
        yield
    finally:
        causation.reset(tokens[0])
        traceparent.reset(tokens[1])


def valid_traceparent(text: str | None) -> str | None:
    """Return a traceparent that may be passed on, or None: a malformed one is to be ignored (W3C Trace Context, 3.2.2)."""
    return text if text and TRACEPARENT.fullmatch(text) else None
