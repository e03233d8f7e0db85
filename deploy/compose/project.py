"""Which containers and volumes are this checkout's: those of the compose project in its .env.

The project's name is made by chance, and .env says for which checkout. So a copy is told from its
original, whose volumes are not the copy's (docs/adr/0070-a-checkout-owns-its-data.md).
"""

import hashlib
import os
import secrets
from pathlib import Path

from souk import dotenv
from souk.console import CommandError, log_step
from souk.files import read_variables, write_file

NAME = "COMPOSE_PROJECT_NAME"
MADE_FOR = "# Made for the checkout "
#: The project of every checkout, before each had its own.
SHARED = "souk"
ALWAYS_SET = "KEY_ENCRYPTION_KEY"


def name(path: Path = dotenv.PATH, asked: str | None = None) -> str:
    """Return the environment's word, or .env's; without either a name that nobody has yet."""
    known = read_variables(path)
    asked = os.environ.get(NAME) if asked is None else asked
    unused = f"souk-unmade-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    return asked or known.get(NAME) or (SHARED if known.get(ALWAYS_SET) else unused)


def first_name(path: Path) -> str:
    """Return what .env is to say where it says nothing: its volumes may be older than names."""
    return SHARED if read_variables(path).get(ALWAYS_SET) else f"souk-{secrets.token_hex(4)}"


def made_for(path: Path = dotenv.PATH) -> Path | None:
    """Return the checkout that .env was written for; None where it does not say."""
    lines = path.read_text().splitlines() if path.exists() else []
    found = [line.removeprefix(MADE_FOR) for line in lines if line.startswith(MADE_FOR)]
    return Path(found[-1].partition(" ")[2]) if found else None


def _line(path: Path, checkout: Path) -> str:
    """The inode is that by which the same folder is known again when it has moved."""
    return f"{MADE_FOR}{path.parent.stat().st_ino} {checkout}"


def stamp(path: Path = dotenv.PATH) -> None:
    """Note in .env which checkout it is of."""
    if not path.exists() or made_for(path) == path.parent:
        return
    lines = path.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(MADE_FOR)]
    write_file(path, "\n".join([*kept, _line(path, path.parent)]) + "\n")


def settle(path: Path = dotenv.PATH) -> None:
    """Give a copied checkout a project of its own, empty; a moved one keeps its volumes."""
    former = made_for(path)
    if former is None or former == path.parent:
        return
    if made_for(former / ".env") != former:
        _check_moved(path, former)
    else:
        dotenv.drop_values(["GATEWAY_PORT", "MAIL_PAGE_PORT"], path)
        dotenv.set_values({NAME: f"souk-{secrets.token_hex(4)}"}, path)
        log_step(
            f"this is a copy of {former}, whose containers and volumes stay its own: here the"
            " shop starts empty; `make backup` there and `make restore` here take the data along"
        )
    stamp(path)


def _check_moved(path: Path, former: Path) -> None:
    """The original is gone: this is it, unless it is a copy made before that."""
    if _line(path, former) not in path.read_text().splitlines():
        raise CommandError(
            f"{path} was made for {former}, which is gone: if its volumes are this checkout's,"
            f" remove the line that begins with {MADE_FOR.strip()!r}; if not, also set {NAME}"
            " to a new name"
        )
