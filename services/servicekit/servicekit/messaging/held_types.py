"""Event types that the broker does not take at present: each rests, ever longer, and is then tried with a single event.

A full queue or a missing binding concerns every event of a type and passes; no event is to blame, so no attempt is counted and nothing
is given up (docs/adr/0008-a-refusal-is-not-final.md). Kept in memory: a new relay learns it again with its first window.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0

Row = TypeVar("Row")


@dataclass(slots=True)
class _Hold:
    pause_seconds: float
    until: float


class HeldTypes:
    """Which types rest, and which may be tried with one event."""

    def __init__(self) -> None:
        self._holds: dict[str, _Hold] = {}

    def resting(self) -> list[str]:
        """Return the types that must not be published now."""
        now = time.monotonic()
        return [name for name, hold in self._holds.items() if hold.until > now]

    def with_probes(self, rows: Sequence[Row], types: Sequence[str]) -> Iterator[Row]:
        """Yield the rows to publish: of a type that was refused before, only the first."""
        probed: set[str] = set()
        for row, name in zip(rows, types, strict=True):
            if name not in self._holds:
                yield row
            elif name not in probed:
                probed.add(name)
                yield row

    def refuse(self, name: str) -> None:
        """Let the type rest, twice as long as the last time."""
        last = self._holds.get(name)
        pause = min(last.pause_seconds * 2, LONGEST_PAUSE_SECONDS) if last else FIRST_PAUSE_SECONDS
        self._holds[name] = _Hold(pause, time.monotonic() + pause)

    def accept(self, names: Collection[str]) -> bool:
        """Release the types, of which an event was confirmed; return whether any had been held."""
        released = [name for name in names if self._holds.pop(name, None)]
        return bool(released)
