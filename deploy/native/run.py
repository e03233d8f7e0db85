"""Becomes a command with the variables of one .souk/env file; the process keeps its number, so supervisor sees it itself."""

import os
import shutil
import sys
from typing import NoReturn

from native import files, packages
from native.errors import Cannot
from native.layout import REPOSITORY, SERVICES, VENV, Layout


def environment(layout: Layout, name: str) -> dict[str, str]:
    """Ours, then what the file says; the virtual environment's programs first.

    Raises:
        Cannot: there is no such file, because the stack never started.
    """
    path = layout.env / f"{name}.env"
    if not path.exists():
        raise Cannot(f"{path} is not there yet: `make up` writes it")
    search = f"{VENV / 'bin'}:{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}"
    return {**os.environ, **files.read_variables(path), "PATH": search}


def become(layout: Layout, name: str, command: list[str]) -> NoReturn:
    """Replaces this process; a service's command runs in the service's folder."""
    variables = environment(layout, name)
    program = shutil.which(command[0], path=variables["PATH"])
    if not program:
        raise Cannot(f"there is no program {command[0]}")
    if name in SERVICES:
        os.chdir(REPOSITORY / "services" / name)
    sys.stdout.flush()
    os.execve(program, command, variables)  # noqa: S606 # nosec B606: that is what it is for
