"""Pauses that let batches form by themselves (docs/adr/0006-pause-after-a-partial-batch.md)."""

import time

LONGEST_PAUSE_SECONDS = 0.02


def pause_after_partial_batch(started: float, *, is_full: bool) -> None:
    """Sleep as long as the batch begun at `started` (monotonic seconds) took, at most 20 ms.

    After a full batch it returns at once, since more is waiting. Without the pause a busy machine
    handles events one by one and pays a transaction and a round trip to the broker for each.
    """
    if not is_full:
        time.sleep(min(time.monotonic() - started, LONGEST_PAUSE_SECONDS))
