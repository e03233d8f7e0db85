"""`.env`: what a person has set, and what `make env` has written for docker compose.

Lines are changed in place, so that a person's own lines and comments stay.
"""

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from souk.checkout import REPOSITORY
from souk.console import CommandError
from souk.files import read_variables, write_file

PATH = REPOSITORY / ".env"
#: The gateway's limits while only this machine asks: everybody has the same address there.
LOOPBACK_LIMITS = read_variables(REPOSITORY / "gateway" / "loopback-limits.env")


def effective(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what .env and the environment say; the environment wins."""
    return {**read_variables(PATH), **environment}


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches the address (of GATEWAY_BIND)."""
    try:
        return address == "localhost" or ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def set_values(values: Mapping[str, str], path: Path = PATH) -> list[str]:
    """Set variables, each on its old line or at the end; return the names that changed."""
    for name, value in values.items():
        if re.search(r"[\s'\"$#\\]", value):  # docker compose would interpret it
            raise CommandError(f"{name} has a character that .env would need quotes for")
    known = read_variables(path)
    changed = [name for name, value in values.items() if known.get(name) != value]
    lines = path.read_text().splitlines() if path.exists() else []
    for name in changed:
        at = next((n for n, line in enumerate(lines) if _name(line) == name), len(lines))
        rest = [line for line in lines[at:] if _name(line) != name]
        lines = [*lines[:at], f"{name}={values[name]}", *rest]
    if changed:
        write_file(path, "\n".join(lines) + "\n")
    if path.exists():
        path.chmod(0o600)
    return changed


def drop_values(names: Iterable[str], path: Path = PATH) -> None:
    """Delete the variables' lines."""
    gone = set(names)
    kept = [line for line in path.read_text().splitlines() if _name(line) not in gone]
    write_file(path, "\n".join(kept) + "\n")


def _name(line: str) -> str:
    return line.partition("=")[0].strip()
