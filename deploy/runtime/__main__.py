"""`python3 deploy/runtime COMMAND`: hands the command to deploy/native or deploy/compose, whichever RUNTIME says.

auto, the default: native if this checkout's native stack runs, else compose if a Docker engine answers, else native.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# This folder itself must not be on the path.
sys.path[0] = str(HERE.parent)

from compose import engine  # noqa: E402  the path comes first
from native import supervisor  # noqa: E402
from native.layout import current  # noqa: E402

RUNTIMES = ("native", "compose")


def chosen(asked: str) -> str:
    """native or compose, for one of auto, native, compose."""
    if asked in RUNTIMES:
        return asked
    if asked != "auto":
        sys.exit(f"souk: RUNTIME is {asked!r}: use auto, compose or native")
    return "compose" if not supervisor.answers(current()) and engine.answers() else "native"


def main() -> None:
    runtime = chosen(os.environ.get("RUNTIME") or "auto")
    command = [sys.executable, str(HERE.parent / runtime), *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, "RUNTIME": runtime})  # noqa: S606 # nosec B606: that is what it is for


main()
