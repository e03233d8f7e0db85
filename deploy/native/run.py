"""Commands with the variables of one .souk/env file."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from native import packages
from native.layout import Layout
from souk.checkout import REPOSITORY, SERVICES, VENV
from souk.console import CommandError
from souk.files import read_variables


def environment(layout: Layout, name: str) -> dict[str, str]:
    """Return our variables, then what the file says; .venv's programs come first on the path."""
    path = layout.env / f"{name}.env"
    if not path.exists():
        raise CommandError(f"{path} is not there yet: `make up` writes it")
    search = f"{VENV / 'bin'}:{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}"
    return {**os.environ, **read_variables(path), "PATH": search}


def folder(name: str) -> Path:
    """Return where a command of that owner runs: a service's in its own folder."""
    return REPOSITORY / "services" / name if name in SERVICES else Path.cwd()


def become(layout: Layout, name: str, command: Sequence[str]) -> NoReturn:
    """Replace this process, which keeps its number, so that supervisor sees the command itself."""
    variables = environment(layout, name)
    program = shutil.which(command[0], path=variables["PATH"])
    if not program:
        raise CommandError(f"there is no program {command[0]}")
    os.chdir(folder(name))
    sys.stdout.flush()
    os.execve(program, [*command], variables)  # noqa: S606 # nosec B606: that is what it is for
