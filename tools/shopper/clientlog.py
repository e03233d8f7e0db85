"""What a client was told: a JSON line per accepted write.

`make audit` checks that each is in the database (I7).
"""

import json
from datetime import UTC, datetime
from os import SEEK_END
from pathlib import Path
from typing import IO, Any


class ClientLog:
    """Appends lines {"at", "kind", "id", …}.

    `kind` is order, cancel, stock or user; `id` is the row that must exist.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stream: IO[str] | None = None

    def wrote(self, kind: str, row_id: str, **more: str | int) -> None:
        """Note an accepted write; once this returns, the line survives a kill of the process."""
        if self._stream is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # Without a line end of its own, the rest of a torn line would spoil the next entry.
            is_torn = _ends_within_a_line(self.file)
            self._stream = self.file.open("a", encoding="utf-8")
            self._stream.write("\n" if is_torn else "")
        line = {"at": datetime.now(UTC).isoformat(), "kind": kind, "id": row_id, **more}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def orders_told(file: Path) -> dict[tuple[str, str], str]:
    """Return the ids of the orders that clients were told of, by (account, Idempotency-Key)."""
    if not file.exists():
        return {}
    with file.open(encoding="utf-8", errors="replace") as stream:
        entries = [entry for line in stream if '"order"' in line and (entry := _entry(line))]
    return {
        (entry["account"], entry["key"]): entry["id"]
        for entry in entries
        if {"account", "key"} <= entry.keys()
    }


def _ends_within_a_line(file: Path) -> bool:
    if not file.exists() or not file.stat().st_size:
        return False
    with file.open("rb") as stream:
        stream.seek(-1, SEEK_END)
        return stream.read(1) != b"\n"


def _entry(line: str) -> dict[str, Any]:
    """Return an order's entry; empty if it is another kind, or torn because its writer ended."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) and entry.get("kind") == "order" else {}


def default_client_log(state: Path) -> Path:
    """Return where demo and benchmarks keep the log: it is removed with the stack's state."""
    return state / "client-log.jsonl"
