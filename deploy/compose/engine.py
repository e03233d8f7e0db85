"""The docker client: is there an engine, and `docker compose` for this checkout."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from compose import project
from souk.checkout import REPOSITORY
from souk.console import CommandError

OLDEST_COMPOSE = (2, 20)
#: What `docker inspect` says of a container.
Container = dict[str, Any]


def docker(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = ["docker", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def answers() -> bool:
    """Return whether a Docker engine takes orders."""
    return bool(shutil.which("docker")) and docker("info").returncode == 0


def check_usable() -> None:
    """Refuse where the shop cannot be run in containers, and say what to do."""
    if not shutil.which("docker"):
        raise CommandError("there is no docker client: install Docker, or use RUNTIME=native")
    if not answers():
        raise CommandError(
            "no Docker engine answers: start it, or `python3 deploy/airgap engine` on Debian,"
            " or use RUNTIME=native"
        )
    found = docker("compose", "version", "--short").stdout.strip().lstrip("v")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_COMPOSE:
        raise CommandError(
            f"docker compose is {found or 'missing'}; Souk needs 2.20 or newer:"
            " `python3 deploy/airgap engine` installs it on Debian"
        )


def environment() -> dict[str, str]:
    """Return our variables, with the project's name.

    A GATEWAY_PORT of 0 (any free one) is left to .env, where `make env` has put one that stays.
    """
    any_port = ("GATEWAY_PORT", "0")
    ours = {name: value for name, value in os.environ.items() if (name, value) != any_port}
    return {**ours, project.NAME: project.name()}


def compose_command(*words: str) -> list[str]:
    return ["docker", "compose", "--project-directory", str(REPOSITORY), *words]


def compose(*words: str, check: bool = True) -> int:
    """Run `docker compose WORDS`, its output ours. Returns its exit code; `check`: which is 0."""
    code = subprocess.run(compose_command(*words), env=environment(), check=False).returncode
    if code and check:
        raise CommandError(f"`docker compose {words[0]}` failed; what it said is above")
    return code


def output(*words: str) -> str:
    """Return what `docker compose WORDS` prints."""
    done = docker(*compose_command(*words)[1:], env=environment())
    if done.returncode:
        reason = done.stderr.strip()[-4000:]
        raise CommandError(f"`docker compose {words[0]}` failed:\n{reason}")
    return done.stdout


def inspect(ids: Sequence[str]) -> list[Container]:
    """Inspect containers; those that are gone by now are left out."""
    said = docker("inspect", "--type", "container", *ids).stdout if ids else ""
    found: list[Container] = json.loads(said or "[]")
    return found


def containers() -> list[Container]:
    """Return all containers of the project, those of one-shots too, inspected."""
    return inspect(output("--profile", "ops", "ps", "--all", "--quiet").split())


def volumes() -> list[str]:
    """Return the names of the project's volumes that exist."""
    label = f"label=com.docker.compose.project={project.name()}"
    return docker("volume", "ls", "--quiet", "--filter", label).stdout.split()


def service_of(container: Container) -> str:
    """Return the name in compose.yaml."""
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def label(container: Container) -> str:
    """Return orders-web, or orders-web-2 where there are several."""
    number = container["Config"]["Labels"].get("com.docker.compose.container-number", "1")
    return service_of(container) + ("" if number == "1" else f"-{number}")
