"""Where the relay looks for unsent rows, and which event types it leaves out for now."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
FULL_SCAN_SECONDS = 1.0

Row = TypeVar("Row")


class ScanStart:
    """The position from which the relay looks for unsent rows.

    Once a second it is the start of the table, in between what had been sent a second or two ago:
    sent rows that an open snapshot still sees (a backup's, for instance) stay in the index of
    unsent rows, and a scan from the start reads all of them. A row whose transaction commits late
    lies among rows that were sent before it; the full scan finds it, so nothing is ever skipped.
    """

    def __init__(self) -> None:
        self._highest_sent = 0
        self._highest_sent_at_full_scan = 0
        self._start = 0
        self._next_full_scan = 0.0

    def position(self) -> int:
        """Return the lowest position to look at; 0 is a full scan."""
        now = time.monotonic()
        if now < self._next_full_scan:
            return self._start
        self._start = self._highest_sent_at_full_scan
        self._highest_sent_at_full_scan = self._highest_sent
        self._next_full_scan = now + FULL_SCAN_SECONDS
        return 0

    def record_sent(self, positions: list[int]) -> None:
        """Remember the highest position that was sent."""
        self._highest_sent = max(self._highest_sent, *positions)

    def request_full_scan(self) -> None:
        """Make the next scan a full scan: rows may be waiting that the last scan left out."""
        self._next_full_scan = 0.0


@dataclass(slots=True)
class _Refusal:
    pause_seconds: float
    ends_at: float


class RefusedTypes:
    """Event types that the broker refuses at present: paused, then tried with a single event.

    A full queue or a missing binding concerns every event of a type and passes. No event is to
    blame, so no row is given up on (docs/adr/0008-a-refusal-is-not-final.md). This is kept in
    memory only: a new relay learns it again with its first window.
    """

    def __init__(self) -> None:
        self._refusals: dict[str, _Refusal] = {}

    def paused(self) -> list[str]:
        """Return the types that must not be published now."""
        now = time.monotonic()
        return [name for name, refusal in self._refusals.items() if refusal.ends_at > now]

    def publishable(self, rows: Sequence[Row], types: Sequence[str]) -> Iterator[Row]:
        """Yield the rows to publish: only the first row of a type that was refused before."""
        probed: set[str] = set()
        for row, name in zip(rows, types, strict=True):
            if name not in self._refusals:
                yield row
            elif name not in probed:
                probed.add(name)
                yield row

    def refuse(self, name: str) -> None:
        """Pause the type, twice as long as the last time."""
        last = self._refusals.get(name)
        pause = min(last.pause_seconds * 2, LONGEST_PAUSE_SECONDS) if last else FIRST_PAUSE_SECONDS
        self._refusals[name] = _Refusal(pause, time.monotonic() + pause)

    def release(self, names: Collection[str]) -> bool:
        """Release types of which an event was confirmed; return whether any had been refused."""
        released = [name for name in names if self._refusals.pop(name, None)]
        return bool(released)
