"""A bar on a terminal, a plain line now and then elsewhere; and the loop that works through a list,
some at a time.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TextIO, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
#: Of a count without an end.
SAID_EVERY = 100_000


class Progress:
    """Counts up to `total` (0: nobody knows); on a stream that is no terminal it prints now and
    then.
    """

    def __init__(self, title: str, total: int, stream: TextIO | None = None) -> None:
        self.title, self.total, self.count = title, total, 0
        self._stream = stream or sys.stderr
        self._bar = (
            tqdm(total=total or None, desc=f"{title:<22}", unit="", file=self._stream, leave=True)
            if self._stream.isatty()
            else None
        )

    def step(self) -> None:
        self.count += 1
        if self._bar is not None:
            self._bar.update()
        elif not self.total:
            if self.count % SAID_EVERY == 0:
                print(f"{self.title}: {self.count}", file=self._stream, flush=True)
        elif self.count * 10 // self.total > (self.count - 1) * 10 // self.total:
            print(f"{self.title}: {self.count} of {self.total}", file=self._stream, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


async def work_through(
    title: str, items: Iterable[Item], work: Callable[[Item], Awaitable[None]], *, parallel: int
) -> None:
    """Await `work` for each item, at most `parallel` at a time; the first error ends all."""
    todo = list(items)
    if not todo:
        return
    progress = Progress(title, len(todo))
    pending = iter(todo)

    async def worker() -> None:
        for item in pending:
            await work(item)
            progress.step()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(parallel, len(todo))):
                group.create_task(worker())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        progress.close()
