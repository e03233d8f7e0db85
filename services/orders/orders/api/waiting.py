"""`Prefer: wait=N` (RFC 7240): how long a caller will wait for the outcome, and how many may at once."""

import re
import threading
from uuid import UUID

from django.conf import settings

from orders import selectors

LONGEST_WAIT_SECONDS = 10
WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE | re.ASCII)

# A waiting request holds a thread. Two threads are kept for those who do not wait, so that orders are accepted while none is decided;
# with two or fewer, no request waits. Who finds no place is answered at once that the order is pending.
_places = threading.BoundedSemaphore(max(0, settings.WEB_THREADS - 2))


def preferred_seconds(prefer: str | None) -> int | None:
    """Return the wait that a Prefer header asks for, at most ten seconds; None without one that can be read."""
    for preference in (prefer or "").split(","):
        found = WAIT.fullmatch(preference.partition(";")[0].strip())
        if found:
            return min(int(found[1]), LONGEST_WAIT_SECONDS)
    return None


def wait_for_outcome(order_id: UUID, seconds: int) -> None:
    """Return when the order is decided, the time is over, or no place is free."""
    if seconds and _places.acquire(blocking=False):
        try:
            selectors.wait_until_settled(order_id=order_id, seconds=seconds)
        finally:
            _places.release()
