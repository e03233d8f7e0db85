"""The docker client: is there an engine, and `docker compose` for this checkout."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from compose import project
from native.errors import Cannot
from native.layout import REPOSITORY

OLDEST_COMPOSE = (2, 20)


def answers() -> bool:
    """Whether a Docker engine takes orders."""
    return bool(shutil.which("docker")) and _docker("info", "--format", "{{.ServerVersion}}").returncode == 0


def need() -> None:
    """Raises Cannot, saying what to do, when the shop cannot be run in containers here."""
    if not shutil.which("docker"):
        raise Cannot("there is no docker client: install Docker, or use RUNTIME=native")
    if not answers():
        raise Cannot(
            "no Docker engine answers: start it, or `python3 deploy/airgap engine` on Debian, or use RUNTIME=native"
        )
    found = _docker("compose", "version", "--short").stdout.strip().lstrip("v")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_COMPOSE:
        raise Cannot(
            f"docker compose is {found or 'missing'}; Souk needs 2.20 or newer: `python3 deploy/airgap engine` installs it on Debian"
        )


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


def environment() -> dict[str, str]:
    """Ours. A GATEWAY_PORT of 0 (any free one) is left to .env, where `make env` has put one that stays."""
    ours = {name: value for name, value in os.environ.items() if (name, value) != ("GATEWAY_PORT", "0")}
    return {**ours, project.NAME: project.name()}


def compose_command(*words: str) -> list[str]:
    return ["docker", "compose", "--project-directory", str(REPOSITORY), *words]


def compose(*words: str, check: bool = True) -> int:
    """Runs `docker compose WORDS`, its output ours. Returns its exit code.

    Raises:
        Cannot: it failed, and `check` is set.
    """
    code = subprocess.run(compose_command(*words), env=environment(), check=False).returncode
    if code and check:
        raise Cannot(f"`docker compose {words[0]}` failed; what it said is above")
    return code


def output(*words: str) -> str:
    """What `docker compose WORDS` prints.

    Raises:
        Cannot: it failed; says why.
    """
    done = subprocess.run(
        compose_command(*words), env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Cannot(f"`docker compose {words[0]}` failed:\n{done.stderr.strip()[-4000:]}")
    return done.stdout


def inspect(ids: Sequence[str]) -> list[dict[str, Any]]:
    """`docker inspect` of containers; those that are gone by now are left out."""
    if not ids:
        return []
    found: list[dict[str, Any]] = json.loads(_docker("inspect", "--type", "container", *ids).stdout or "[]")
    return found


def containers() -> list[dict[str, Any]]:
    """All containers of the project, those of one-shots too, inspected."""
    return inspect(output("--profile", "ops", "ps", "--all", "--quiet").split())


def volumes() -> list[str]:
    """The names of the project's volumes that exist."""
    project = json.loads(output("config", "--format", "json"))["name"]
    words = ("volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project}")
    return _docker(*words).stdout.split()


def service_of(container: dict[str, Any]) -> str:
    """The name in compose.yaml."""
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def label(container: dict[str, Any]) -> str:
    """orders-web, or orders-web-2 where there are several."""
    number = container["Config"]["Labels"].get("com.docker.compose.container-number", "1")
    return service_of(container) + ("" if number == "1" else f"-{number}")
