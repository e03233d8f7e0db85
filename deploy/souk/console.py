"""What a command tells the person who typed it."""

import sys
import time
from collections.abc import Callable

_STARTED = time.monotonic()


class CommandError(Exception):
    """A command cannot do what it was asked to; the message says why, and what helps.

    Whatever a command calls may raise it: __main__ prints it, and the exit code is 1.
    """


def log_step(text: str) -> None:
    """Write a line with the seconds since the command began. On stderr: stdout is for answers."""
    sys.stderr.write(f"{time.monotonic() - _STARTED:6.1f} s  {text}\n")
    sys.stderr.flush()


def wait_until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait for a condition; CommandError says `otherwise` when it does not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise CommandError(otherwise)
        time.sleep(0.1)


def last_lines(text: str, count: int = 25) -> str:
    """Return the end of a log, for an error's message."""
    return "\n".join(text.splitlines()[-count:])
