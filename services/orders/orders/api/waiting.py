"""`Prefer: wait=N` (RFC 7240) and `?wait=N`: how long a caller waits for an outcome.

Through the gateway nobody waits here: `live` waits (orders.api.handover). This is for whoever asks
`web` itself.
"""

import re
import threading
import time
from uuid import UUID

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from orders import selectors
from servicekit.operations import web_size

LONGEST_WAIT_SECONDS = 10
#: The pauses between two looks at the order grow from the first to the second: an undisturbed
#: purchase is decided within a few tens of milliseconds.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.005, 0.1
SECONDS = re.compile(r"\d{1,9}", re.ASCII)
WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE | re.ASCII)

# A waiting request holds a thread. Two threads are kept for callers who do not wait, so that orders
# are accepted while none is decided; with two or fewer, no request waits. A caller who finds no
# place is answered at once that the order is pending.
_places = threading.BoundedSemaphore(max(0, web_size.threads() - 2))


def preferred_seconds(prefer: str | None) -> int | None:
    """Return the wait that a Prefer header asks for, at most ten seconds, or None."""
    for preference in (prefer or "").split(","):
        found = WAIT.fullmatch(preference.partition(";")[0].strip())
        if found:
            return min(int(found[1]), LONGEST_WAIT_SECONDS)
    return None


def asked_seconds(request: Request) -> int:
    """Return the wait that `?wait=N` asks for, at most ten seconds; 0 without it.

    Raises:
        ValidationError: N is no whole number.
    """
    text = request.query_params.get("wait", "0")
    if not SECONDS.fullmatch(text):
        raise ValidationError({"wait": ["This is a number of seconds, such as 10."]})
    return min(int(text), LONGEST_WAIT_SECONDS)


def wait_for_outcome(order_id: UUID, seconds: int) -> None:
    """Return when the order is decided, the time is over, or no place is free.

    Holds no transaction and no lock meanwhile.
    """
    if seconds and _places.acquire(blocking=False):
        try:
            _wait_while_pending(order_id, time.monotonic() + seconds)
        finally:
            _places.release()


def _wait_while_pending(order_id: UUID, deadline: float) -> None:
    pause = FIRST_PAUSE_SECONDS
    while selectors.is_pending(order_id=order_id):
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
