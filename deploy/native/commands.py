"""Commands of other programs that must do without a terminal, and whose words are worth reading only when they fail."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from native.errors import Cannot

#: How much of a failed command's output its error shows, from the end.
SHOWN_CHARACTERS = 6000


def run(
    words: Sequence[str], *, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, with `variables` beside our own. Both output streams are in `stdout`, in order."""
    return subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def must(
    what: str,
    words: Sequence[str],
    *,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Runs it and returns what it printed.

    Raises:
        Cannot: it failed; names `what` and shows the end of the output.
    """
    done = run(words, folder=folder, variables=variables)
    if done.returncode:
        raise Cannot(f"{what} failed:\n{done.stdout.strip()[-SHOWN_CHARACTERS:]}")
    return done.stdout
