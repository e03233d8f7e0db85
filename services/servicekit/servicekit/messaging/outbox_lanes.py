"""Lanes of the outbox: what the relay sends first, and what may wait for it.

The events of an order are urgent. Those of a product may wait (`PublishedEvent.is_urgent`): staff
change 100,000 products at once, and a customer's order must not stand behind them. The types of a
lane are known to the code, not to the table, so that every row is in one, whoever wrote it. A lane
looks for its rows, and bounds its windows, by itself
(docs/adr/0086-urgent-events-go-first.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import psycopg

from servicekit.messaging.contracts import published_events
from servicekit.messaging.outbox_scan import ScanStart

Execute = Callable[..., psycopg.Cursor[Any]]
#: The most that a window holds beside a single event. An event may have 256 KiB, and the container
#: of a relay has 160 MB.
WINDOW_BYTES = 4 * 1024 * 1024
#: An urgent event waits for one window of patient ones at most, so that is kept short.
PATIENT_ROWS = 100

# Raw SQL: the ORM has no binary results. The window ends with the row that passes the limit of
# bytes; octet_length does not read the value.
UNSENT = """
    SELECT position, id, type, subject, sequence, data, traceparent, causation, created_at FROM (
        SELECT *,
            sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS bytes_before
        FROM (
            SELECT * FROM outbox
            WHERE sent_at IS NULL AND parked_at IS NULL AND position >= %s AND type <> ALL(%s)
                AND (type = ANY(%s)) = %s
                AND (not_before IS NULL OR not_before <= clock_timestamp())
            ORDER BY position LIMIT %s
        ) AS oldest
    ) AS measured WHERE bytes_before < %s ORDER BY position
"""


@dataclass(slots=True)
class Lane:
    """The unsent rows of the patient types, or of all others; `most` is its largest window."""

    most: int
    patient_types: list[str]
    is_patient: bool
    window: int = field(init=False)
    #: Whether more rows may have been behind the last window.
    is_full: bool = False
    scan_start: ScanStart = field(default_factory=ScanStart)

    def __post_init__(self) -> None:
        self.window = self.most

    def unsent(self, execute: Execute, paused: Sequence[str]) -> list[tuple[Any, ...]]:
        """Read the rows of the next window, oldest first, without those of paused types."""
        start = self.scan_start.position()
        types = [list(paused), self.patient_types, self.is_patient]
        parameters = [start, *types, self.window, WINDOW_BYTES]
        rows = execute(UNSENT, parameters, binary=True).fetchall()
        self.is_full = len(rows) >= self.window or sum(len(row[5]) for row in rows) >= WINDOW_BYTES
        if start == 0 and self.is_full:
            self.scan_start.request_full_scan()  # more old rows may be behind this window
        return rows

    def narrow(self) -> None:
        """Publish one by one, until the event is found over which the broker closes the channel."""
        self.window = 1
        self.scan_start.request_full_scan()

    def record_sent(self, positions: list[int]) -> None:
        """Remember what was sent; every confirm doubles a narrow window again."""
        self.scan_start.record_sent(positions)
        self.window = min(self.window * 2, self.most)


def lanes(batch: int, patient_types: Sequence[str]) -> list[Lane]:
    """Return the lanes in the order in which their windows are sent, the urgent lane first."""
    patient = list(patient_types)
    urgent = Lane(batch, patient, is_patient=False)
    if not patient:
        return [urgent]
    return [urgent, Lane(min(batch, PATIENT_ROWS), patient, is_patient=True)]


def patient_types(events: ModuleType) -> list[str]:
    """Return the types of a service's `events.py` that let others' go first."""
    published = published_events(events)
    return [name for name, event_class in published.items() if not event_class.is_urgent]
