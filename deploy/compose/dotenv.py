"""`.env`: what docker compose fills compose.yaml with. Lines are changed in place, so a person's own lines and comments stay."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from native import files
from native.errors import Cannot
from native.layout import REPOSITORY

PATH = REPOSITORY / ".env"


def read(path: Path = PATH) -> dict[str, str]:
    """NAME=value lines, nothing expanded."""
    return files.read_variables(path)


def remember(values: Mapping[str, str], path: Path = PATH) -> list[str]:
    """Sets the variables, each on its old line or at the end; readable by us only. Returns the names that changed.

    Raises:
        Cannot: a value has a character that docker compose would interpret.
    """
    for name, value in values.items():
        if re.search(r"[\s'\"$#\\]", value):
            raise Cannot(f"{name} has a character that .env would need quotes for")
    known = read(path)
    changed = [name for name, value in values.items() if known.get(name) != value]
    lines = path.read_text().splitlines() if path.exists() else []
    for name in changed:
        lines = _with_line(lines, name, values[name])
    if changed:
        files.write(path, "\n".join(lines) + "\n")
    if path.exists():
        path.chmod(0o600)
    return changed


def forget(names: Iterable[str], path: Path = PATH) -> None:
    """Drops the variables' lines."""
    gone = set(names)
    kept = [line for line in path.read_text().splitlines() if line.partition("=")[0].strip() not in gone]
    files.write(path, "\n".join(kept) + "\n")


def _with_line(lines: list[str], name: str, value: str) -> list[str]:
    fresh = f"{name}={value}"
    at = [number for number, line in enumerate(lines) if line.partition("=")[0].strip() == name]
    if not at:
        return [*lines, fresh]
    return [fresh if number == at[0] else line for number, line in enumerate(lines) if number not in at[1:]]
