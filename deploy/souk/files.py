"""Small files, written whole or not at all: settings, secrets, NAME=value lines like .env."""

import base64
import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from souk.console import CommandError


def write_file(path: Path, text: str, mode: int = 0o600) -> bool:
    """Write the file unless it says that already. Returns whether it changed."""
    if path.exists() and path.read_text() == text:
        return False
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
    return True


def write_variables(path: Path, variables: Mapping[str, str]) -> bool:
    """Write NAME=value lines, readable by the owner only. Returns whether anything changed."""
    for name, value in variables.items():
        if "\n" in value:
            raise CommandError(f"{name} has a line break, which {path.name} cannot hold")
    return write_file(path, "".join(f"{name}={value}\n" for name, value in variables.items()))


def read_variables(path: Path) -> dict[str, str]:
    """Read NAME=value lines. Blank lines and comments are skipped; nothing is expanded."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def random_token() -> str:
    """Return a password of characters that need no quoting anywhere."""
    return secrets.token_hex(32)


def random_fernet_key() -> str:
    """Return a key as `cryptography.fernet` takes it."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that there is one command at a time per stack."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another command is at work on {folder}; wait for it"
            raise CommandError(message) from None
        yield
