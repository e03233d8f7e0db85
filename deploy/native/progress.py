"""Lines that tell what goes on, with the seconds since the command began. On stderr: stdout is for answers."""

import sys
import time

START = time.monotonic()


def say(text: str) -> None:
    sys.stderr.write(f"{time.monotonic() - START:6.1f} s  {text}\n")
    sys.stderr.flush()
