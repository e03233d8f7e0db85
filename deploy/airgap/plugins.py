"""The docker client's plugins: `docker compose` and `docker buildx`."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from airgap import debian
from airgap.mirror import find_mirror
from compose.engine import OLDEST_COMPOSE
from souk.console import CommandError, log_step

PACKAGES = {"compose": "docker-compose", "buildx": "docker-buildx"}
FOR_ALL = Path("/usr/local/lib/docker/cli-plugins")


def missing() -> list[str]:
    """Return the plugins that are not there, or too old, by what they say of themselves."""
    found = re.match(r"v?(\d+)\.(\d+)", _output("compose", "version", "--short").strip())
    is_fresh = found is not None and (int(found[1]), int(found[2])) >= OLDEST_COMPOSE
    usable = {"compose": is_fresh, "buildx": "buildx" in _output("buildx", "version")}
    return [name for name in PACKAGES if not usable[name]]


def _output(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def folder() -> Path:
    """Return where the client looks for plugins: for everybody, or where we may write."""
    return FOR_ALL if os.geteuid() == 0 else Path.home() / ".docker" / "cli-plugins"


def install(names: list[str]) -> None:
    """Unpack the plugins from Debian 13's packages, which as packages would upgrade libc.

    Raises:
        CommandError: a package could not be had, or its plugin does not run here.
    """
    log_step(f"fetching the plugins {', '.join(names)}")
    names = [PACKAGES[name] for name in names]
    with tempfile.TemporaryDirectory(prefix="souk-plugins-") as scratch:
        root = debian.unpack(names, find_mirror(), Path(scratch))
        for plugin in root.glob("usr/**/cli-plugins/docker-*"):
            place(plugin, folder())
    if still := missing():
        raise CommandError(f"`docker {still[0]} version` fails although {folder()} has its plugin")


def place(plugin: Path, target: Path) -> None:
    """Copy a program, whole or not at all: a client may be looking."""
    target.mkdir(parents=True, exist_ok=True)
    fresh = target / f".{plugin.name}.{os.getpid()}"
    shutil.copyfile(plugin, fresh)
    fresh.chmod(0o755)
    fresh.replace(target / plugin.name)
