"""`images`: builds the stand-ins that are missing or out of date, tags them, and has .env name
them.
"""

import json
import os
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from airgap import base, builder, plugins, standins, trixie
from airgap.standins import BASE, LABEL, StandIn
from compose import engine
from souk import dotenv
from souk.checkout import REPOSITORY
from souk.console import CommandError, log_step


def ensure(wanted: list[StandIn], *, force: bool = False) -> None:
    """Builds what is not there as it should be.

    Raises:
        CommandError: there is no engine, no mirror, no right to make a base, or a build failed.
    """
    if not engine.answers() or plugins.missing():
        raise CommandError("images need Docker with buildx: python3 deploy/airgap engine")
    mirror = trixie.mirror()
    base_inputs = standins.base_digest(trixie.sources_list(mirror) + trixie.network_settings())
    inputs = {one.tag: standins.image_digest(one, base_inputs) for one in wanted}
    outdated = standins.stale(inputs, _inputs_of(inputs), force=force)
    if not outdated:
        return
    if standins.stale({BASE.tag: base_inputs}, _inputs_of([BASE.tag]), force=force):
        base.build(mirror, base_inputs, afresh=force)
    building = [one for one in wanted if one.tag in outdated]
    # Two at a time: while one downloads, the other unpacks.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: _build(one, inputs[one.tag], afresh=force), building))


def _build(one: StandIn, inputs: str, *, afresh: bool) -> None:
    arguments = {"BASE": BASE.tag, "VERSION": one.version}
    builder.build(one.folder, one.tag, arguments, {LABEL: inputs}, afresh=afresh)
    log_step(f"built {one.tag}")


def _inputs_of(tags: Iterable[str]) -> dict[str, str]:
    """Tag → what its image says that it was made of; without those that are not there."""
    return {
        tag: (image["Config"]["Labels"] or {}).get(LABEL, "")
        for tag, image in _inspect(tags).items()
    }


def _inspect(tags: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Tag → what the engine knows of its image."""
    found = {}
    for tag in tags:
        done = subprocess.run(
            ["docker", "image", "inspect", tag], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            found[tag] = json.loads(done.stdout)[0]
    return found


def remember(wanted: list[StandIn]) -> None:
    """Names the stand-ins in .env, which stays its owner's when root writes it."""
    changed = dotenv.set_values({one.variable: one.tag for one in wanted})
    if changed:
        log_step(f".env: {', '.join(changed)} now name stand-ins")
    owner = REPOSITORY.stat()
    if os.geteuid() == 0 and Path(dotenv.PATH).stat().st_uid != owner.st_uid:
        os.chown(dotenv.PATH, owner.st_uid, owner.st_gid)


def table(wanted: list[StandIn]) -> str:
    """A line for each image, with its size; all share the base."""
    found = _inspect([BASE.tag, *(one.tag for one in wanted)])
    return "\n".join(f"{tag:<28} {image['Size'] / 1e6:>6.0f} MB" for tag, image in found.items())
