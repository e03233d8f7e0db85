"""Batches form by themselves: who has worked rests as long as it took (docs/adr/0006-who-worked-rests-as-long.md)."""

import time

LONGEST_BREATH_SECONDS = 0.02


def rest_after(started: float, *, is_full: bool) -> None:
    """Sleep as long as the batch begun at `started` (monotonic seconds) took, at most 20 ms; after a full one, go on at once."""
    if not is_full:
        time.sleep(min(time.monotonic() - started, LONGEST_BREATH_SECONDS))
