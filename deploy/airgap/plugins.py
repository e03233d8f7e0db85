"""The docker client's plugins: `docker compose` and `docker buildx`."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from airgap import trixie
from compose.engine import OLDEST_COMPOSE
from souk.console import CommandError, log_step

PACKAGES = {"compose": "docker-compose", "buildx": "docker-buildx"}
FOR_ALL = Path("/usr/local/lib/docker/cli-plugins")


def missing() -> list[str]:
    """The plugins that are not there, or too old."""
    return lacking(_says("compose", "version", "--short"), _says("buildx", "version"))


def lacking(compose_says: str, buildx_says: str) -> list[str]:
    """Decides by what the plugins say of themselves, which is nothing when they are not there."""
    found = re.match(r"v?(\d+)\.(\d+)", compose_says.strip())
    fresh = found is not None and (int(found[1]), int(found[2])) >= OLDEST_COMPOSE
    return [
        name for name, well in (("compose", fresh), ("buildx", "buildx" in buildx_says)) if not well
    ]


def _says(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def folder() -> Path:
    """Where the client looks for plugins: everybody's place, or our own when we may not write
    there.
    """
    return FOR_ALL if os.geteuid() == 0 else Path.home() / ".docker" / "cli-plugins"


def install(names: list[str]) -> None:
    """Takes the plugins out of Debian 13's packages.

    The packages themselves stay out: they would upgrade libc.

    Raises:
        CommandError: a package could not be had, or its plugin does not run here.
    """
    log_step(f"fetching the plugins {', '.join(names)}")
    with tempfile.TemporaryDirectory(prefix="souk-plugins-") as scratch:
        for package in trixie.fetch([PACKAGES[name] for name in names], Path(scratch)):
            subprocess.run(["dpkg-deb", "-x", str(package), f"{scratch}/root"], check=True)
        for plugin in Path(scratch, "root").glob("usr/**/cli-plugins/docker-*"):
            _place(plugin, folder())
    if still := missing():
        raise CommandError(f"`docker {still[0]} version` fails although {folder()} has its plugin")


def _place(plugin: Path, target: Path) -> None:
    """Whole or not at all: a client may be looking."""
    target.mkdir(parents=True, exist_ok=True)
    fresh = target / f".{plugin.name}.{os.getpid()}"
    shutil.copyfile(plugin, fresh)
    fresh.chmod(0o755)
    fresh.replace(target / plugin.name)
