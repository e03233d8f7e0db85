"""`images`: build the stand-ins, and have .env name them."""

import os
from concurrent.futures import ThreadPoolExecutor

from airgap import debian, docker, plugins
from airgap.mirror import find_mirror
from airgap.standins import StandIn
from compose import engine
from souk import dotenv
from souk.checkout import REPOSITORY
from souk.console import CommandError, log_step


def ensure(wanted: list[StandIn], *, force: bool = False) -> None:
    """Build what is not there as it should be.

    Raises:
        CommandError: there is no engine, no mirror, no right to make a base, or a build failed.
    """
    if not engine.answers() or plugins.missing():
        raise CommandError("images need Docker with buildx: python3 deploy/airgap engine")
    before = _identities(wanted)
    debian.ensure(find_mirror(), afresh=force)

    def build(image: StandIn) -> None:
        arguments = {"BASE": debian.TAG, "VERSION": image.version}
        docker.build(image.folder, image.tag, arguments, afresh=force)
        log_step(f"{image.tag} is built")

    # Two at a time: while one downloads, the other unpacks.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(build, wanted))
    docker.remove(before - _identities(wanted))


def _identities(wanted: list[StandIn]) -> set[str]:
    found = docker.inspect([*(image.tag for image in wanted), debian.TAG])
    return {image["Id"] for image in found.values()}


def remember(wanted: list[StandIn]) -> None:
    """Name the stand-ins in .env, which stays its owner's when root writes it."""
    changed = dotenv.set_values({image.variable: image.tag for image in wanted})
    if changed:
        log_step(f".env: {', '.join(changed)} now name stand-ins")
    owner = REPOSITORY.stat()
    if os.geteuid() == 0 and dotenv.PATH.stat().st_uid != owner.st_uid:
        os.chown(dotenv.PATH, owner.st_uid, owner.st_gid)


def table(wanted: list[StandIn]) -> str:
    """Return a line for each image, with its size; all share the base."""
    found = docker.inspect([debian.TAG, *(image.tag for image in wanted)])
    return "\n".join(f"{tag:<28} {image['Size'] / 1e6:>6.0f} MB" for tag, image in found.items())
