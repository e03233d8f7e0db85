"""Small files, written whole or not at all."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from native.errors import Cannot


def write(path: Path, text: str, mode: int = 0o600) -> bool:
    """Writes the file unless it says that already. Returns whether it changed."""
    if path.exists() and path.read_text() == text:
        return False
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
    return True


def write_variables(path: Path, variables: Mapping[str, str]) -> bool:
    """Writes NAME=value lines, readable by us only."""
    for name, value in variables.items():
        if "\n" in value:
            raise Cannot(f"{name} has a line break, which {path.name} cannot hold")
    return write(path, "".join(f"{name}={value}\n" for name, value in variables.items()))


def read_variables(path: Path) -> dict[str, str]:
    """Reads NAME=value lines; blank lines and # comments are skipped, nothing is expanded or unquoted."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One command at a time per stack."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Cannot(f"another command is at work on {folder}; wait for it") from None
        yield
