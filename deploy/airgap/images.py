"""`images`: build the stand-ins that images/compose.yaml lists, and have .env name them."""

import json
import os
from pathlib import Path

from airgap import debian, plugins
from airgap.mirror import find_mirror
from compose import engine
from souk import commands, dotenv
from souk.checkout import REPOSITORY
from souk.console import CommandError, log_step

HERE = Path(__file__).resolve().parent / "images"
COMPOSE = ["docker", "compose", "--file", HERE / "compose.yaml"]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def ensure(*, force: bool = False) -> None:
    """Build what is not there as it should be; with `force` all, with today's packages.

    Raises:
        CommandError: there is no engine, no mirror, no right to make a base, or a build failed.
    """
    if not engine.answers() or plugins.missing():
        raise CommandError("images need Docker with buildx: python3 deploy/airgap engine")
    debian.ensure(find_mirror(), force=force)
    log_step("building the stand-ins")
    certificates = {"CERTIFICATES": str(CERTIFICATES)} if CERTIFICATES.exists() else {}
    words = [*COMPOSE, "build", *(["--no-cache"] if force else [])]
    commands.run_checked("docker compose build", words, variables=certificates)
    # Those that had the tags before; the engine keeps what a container uses.
    commands.run(["docker", "image", "prune", "--force", "--filter", f"label={debian.LABEL}"])


def stand_ins() -> dict[str, str]:
    """Return their tags, by the variable of the shop's compose.yaml."""
    words = [*COMPOSE, "config", "--format", "json"]
    services = json.loads(commands.run_checked("docker compose config", words))["services"]
    return {f"{name.upper()}_IMAGE": service["image"] for name, service in services.items()}


def remember() -> None:
    """Name the stand-ins in .env, which stays its owner's when root writes it."""
    if changed := dotenv.set_values(stand_ins()):
        log_step(f".env: {', '.join(changed)} now name stand-ins")
    owner = REPOSITORY.stat()
    if os.geteuid() == 0 and dotenv.PATH.stat().st_uid != owner.st_uid:
        os.chown(dotenv.PATH, owner.st_uid, owner.st_gid)
