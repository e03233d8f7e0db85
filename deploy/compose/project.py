"""Which containers and volumes are this checkout's: those of the compose project whose name is in its .env.

The name is made by chance, and .env says for which checkout. So a copy is told from its original, whose volumes are not the copy's.
"""

import hashlib
import os
import secrets
from pathlib import Path

from compose import dotenv
from native import files
from native.errors import Cannot
from native.progress import say

NAME = "COMPOSE_PROJECT_NAME"
MADE_FOR = "# Made for the checkout "
#: The project of every checkout, before each had its own.
SHARED = "souk"
ALWAYS_SET = "KEY_ENCRYPTION_KEY"


def name(path: Path = dotenv.PATH, asked: str | None = None) -> str:
    """The environment's word, or .env's; without either one that nobody has, as there is nothing yet."""
    known = dotenv.read(path)
    asked = os.environ.get(NAME) if asked is None else asked
    unused = f"souk-unmade-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    return asked or known.get(NAME) or (SHARED if known.get(ALWAYS_SET) else unused)


def fresh() -> str:
    """A name that no other checkout has."""
    return f"souk-{secrets.token_hex(4)}"


def first_name(path: Path) -> str:
    """What .env is to say where it says nothing: its volumes may be older than the names."""
    return SHARED if dotenv.read(path).get(ALWAYS_SET) else fresh()


def made_for(path: Path = dotenv.PATH) -> Path | None:
    """The checkout that .env was written for; None where it does not say."""
    lines = path.read_text().splitlines() if path.exists() else []
    found = [line.removeprefix(MADE_FOR) for line in lines if line.startswith(MADE_FOR)]
    return Path(found[-1].partition(" ")[2]) if found else None


def _line(folder: Path) -> str:
    """A path, and the number by which the same folder is known again when it has moved."""
    return f"{MADE_FOR}{folder.stat().st_ino} {folder}"


def stamp(path: Path = dotenv.PATH) -> None:
    """Notes in .env which checkout it is of."""
    if not path.exists() or made_for(path) == path.parent:
        return
    kept = [line for line in path.read_text().splitlines() if not line.startswith(MADE_FOR)]
    files.write(path, "\n".join([*kept, _line(path.parent)]) + "\n")


def settle(path: Path = dotenv.PATH) -> None:
    """Gives a copied checkout a project of its own, empty; a moved one keeps its containers and volumes."""
    former = made_for(path)
    if former is None or former == path.parent:
        return
    if made_for(former / ".env") != former:
        _check_moved(path, former)
    else:
        dotenv.forget(["GATEWAY_PORT"], path)
        dotenv.remember({NAME: fresh()}, path)
        say(
            f"this is a copy of {former}, whose containers and volumes stay its own: here the shop starts empty; "
            "`make backup` there and `make restore` here take the data along"
        )
    stamp(path)


def _check_moved(path: Path, former: Path) -> None:
    """The original is gone: this is it, unless it is a copy made before that."""
    if f"{MADE_FOR}{path.parent.stat().st_ino} {former}" not in path.read_text().splitlines():
        raise Cannot(
            f"{path} was made for {former}, which is gone: if its volumes are this checkout's, remove the line "
            f"that begins with {MADE_FOR.strip()!r}; if not, also set {NAME} to a new name"
        )
