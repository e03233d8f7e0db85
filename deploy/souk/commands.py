"""Other programs, run to their end without a terminal."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from souk.console import CommandError

#: How much of a failed command's output its error shows, from the end.
SHOWN_CHARACTERS = 6000


def run(
    words: Sequence[object],
    *,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    **popen: Any,
) -> subprocess.CompletedProcess[str]:
    """Run it with `variables` beside our own; both output streams are in `stdout`, in order."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **popen,
    )


def run_checked(what: str, words: Sequence[object], **options: Any) -> str:
    """Run it and return what it printed; CommandError names `what` and shows why it failed."""
    done = run(words, **options)
    if done.returncode:
        raise CommandError(f"{what} failed:\n{done.stdout.strip()[-SHOWN_CHARACTERS:]}")
    return done.stdout
