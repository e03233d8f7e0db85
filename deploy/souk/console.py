"""What a command tells the person who typed it."""

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

_STARTED = time.monotonic()


class CommandError(Exception):
    """A command cannot do what it was asked to; the message says why, and what helps.

    Whatever a command calls may raise it: `exit_code` prints it.
    """


def exit_code(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; say why, where it cannot do what it was asked to.

    SIGTERM ends it as Ctrl-C does: what it has started for a while is taken down again.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return command() or 0
    except CommandError as reason:
        sys.stderr.write(f"souk: {reason}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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


def show_status(rows: Sequence[Sequence[object]], findings: Mapping[str, object], end: str) -> None:
    """Print rows (the header first; two columns of words, then numbers, then notes), the rest."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [f"{cell!s:{'<' if n < 2 else '>'}{widths[n]}}" for n, cell in enumerate(row[:-1])]
        print("  ".join([*cells, str(row[-1])]).rstrip())
    print()
    for name, found in findings.items():
        print(f"{name:<{widths[0]}}  {found}")
    print(f"\n{end}")


def duration(seconds: float) -> str:
    """Return H:MM:SS."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
