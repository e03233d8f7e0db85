"""Processes of one stack: also those whose supervisor was killed."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from native.layout import Layout

if TYPE_CHECKING:  # psutil is in .venv, which `make down` does not need where nothing ever ran
    import psutil

#: Says in a process's environment whose it is: the path of the state folder.
MARK = "SOUK_STACK"
Living = dict[int, "psutil.Process"]


def living() -> Living:
    """Return all processes of the machine but zombies, with name, parent and environment."""
    import psutil

    found = psutil.process_iter(["name", "ppid", "status", "environ"])
    return {each.pid: each for each in found if each.info["status"] != psutil.STATUS_ZOMBIE}


def descendants(roots: Iterable[int], among: Living | None = None) -> set[int]:
    """Return the processes that live, and all that they started."""
    among = living() if among is None else among
    family = {pid for pid in roots if pid in among}
    while more := {pid for pid, each in among.items() if each.info["ppid"] in family} - family:
        family |= more
    return family


def of_stack(layout: Layout) -> set[int]:
    """Return every process of the stack.

    The mark is inherited by all; nginx and PostgreSQL's children write their title over it, so
    those are found as children, and nginx workers whose master is gone by its process group, as
    gateway/start does.
    """
    found, owner = living(), str(layout.state)
    marked = {pid for pid in found if (found[pid].info["environ"] or {}).get(MARK) == owner}
    family = descendants(marked, found)
    with contextlib.suppress(OSError, ValueError):
        master = int((layout.run / "gateway" / "nginx.pid").read_text())
        nginx = {pid for pid in found if found[pid].info["name"] == "nginx"}
        family |= {pid for pid in nginx if _group(pid) == master}
    return family - {os.getpid()}


def _group(pid: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid)
    return None


def memory(pids: Iterable[int]) -> int:
    """Return bytes resident; each process's share of shared pages only, where that is told."""
    import psutil

    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            try:
                total += process.memory_full_info().pss
            except psutil.AccessDenied:
                total += process.memory_info().rss
    return total


def wait_gone(layout: Layout, seconds: float) -> set[int]:
    """Wait until no process of the stack is left; return those that still are."""
    deadline = time.monotonic() + seconds
    while (left := of_stack(layout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def end(layout: Layout, patience_seconds: float = 5) -> int:
    """End what is left of a stack: ask, wait, kill. Returns how many processes there were."""
    left = of_stack(layout)
    count = len(left)
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
        if not (left := wait_gone(layout, patience_seconds)):
            break
    return count
