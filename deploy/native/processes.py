"""Processes of one stack, found in /proc: also those whose supervisor was killed."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from native.layout import Layout

MARK = "SOUK_STACK"
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


def mark(layout: Layout) -> str:
    """The value of MARK in the environment of all of a stack's processes."""
    return str(layout.state)


def stat(pid: int) -> tuple[str, str, int, int] | None:
    """(name, state, parent, process group) of a living process; None for the dead, zombies among them."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, _, rest = text[text.index("(") + 1 :].rpartition(") ")
    state, parent, group = rest.split()[:3]
    return None if state in "ZX" else (name, state, int(parent), int(group))


def alive(pid: int) -> bool:
    return stat(pid) is not None


def everything() -> dict[int, tuple[str, str, int, int]]:
    """All living processes of the machine that we may see."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {pid: found for pid in pids if (found := stat(pid))}


def descendants(roots: Iterable[int]) -> set[int]:
    """The processes and all that they started."""
    parents = {pid: found[2] for pid, found in everything().items()}
    family = {pid for pid in roots if pid in parents}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def of_stack(layout: Layout) -> set[int]:
    """Every process of the stack.

    The mark is inherited by all; nginx and PostgreSQL's children write their title over it, so those are found
    as children, and nginx workers whose master is gone by its process group, as gateway/start does.
    """
    marked = {pid for pid in everything() if _is_marked(pid, mark(layout))}
    return (descendants(marked) | _nginx(layout)) - {os.getpid()}


def _is_marked(pid: int, value: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{MARK}={value}".encode() in environment.split(b"\0")


def _nginx(layout: Layout) -> set[int]:
    try:
        master = int((layout.run / "gateway" / "nginx.pid").read_text())
    except (OSError, ValueError):
        return set()
    return {pid for pid, (name, _, _, group) in everything().items() if group == master and name == "nginx"}


def memory(pids: Iterable[int]) -> int:
    """Bytes resident, each process's share of shared pages only (PSS) where the kernel tells."""
    return sum(_memory(pid) for pid in pids)


def _memory(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    except (OSError, StopIteration):
        pass
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def wait_gone(layout: Layout, seconds: float) -> set[int]:
    """Waits until no process of the stack is left; returns those that still are."""
    deadline = time.monotonic() + seconds
    while (left := of_stack(layout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def end(layout: Layout, patience_seconds: float = 5) -> int:
    """Ends what is left of a stack: asks, waits, kills. Returns how many processes there were."""
    left = of_stack(layout)
    count = len(left)
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            _send(pid, kind)
        if not (left := wait_gone(layout, patience_seconds)):
            break
    return count


def _send(pid: int, kind: signal.Signals) -> None:
    try:
        os.kill(pid, kind)
    except ProcessLookupError:
        return
