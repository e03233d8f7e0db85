"""What a process keeps in its memory of what it has made, under what it was made of.

Nothing in it is ever out of date: whoever asks names the state of the data that it is to be of.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable

#: What an entry takes beside its bytes: key, places in the dictionary, objects.
ENTRY_BYTES = 400


class Kept:
    """Bytes by a key, of which those are dropped that were not asked for longest."""

    def __init__(self, *, max_bytes: int) -> None:
        """Keep entries of `max_bytes` together."""
        self._room = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, bytes] = OrderedDict()

    def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return what is kept under these keys."""
        found = {}
        with self._lock:
            for key in keys:
                value = self._entries.get(key)
                if value is not None:
                    self._entries.move_to_end(key)
                    found[key] = value
        return found

    def put(self, entries: dict[str, bytes]) -> None:
        """Keep these, too."""
        with self._lock:
            for key, value in entries.items():
                self._drop(key)
                self._entries[key] = value
                self._room -= ENTRY_BYTES + len(value)
            while self._room < 0:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self._room += ENTRY_BYTES + len(value)
