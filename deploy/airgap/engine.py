"""`engine`: a Docker engine that answers, and a client with compose and buildx."""

import os
import shutil

from airgap import daemon, plugins
from compose.engine import answers
from native import packages
from souk.console import CommandError, log_step


def ensure() -> bool:
    """Returns whether anything had to be done.

    Raises:
        CommandError: it needs root, or something could not be installed or started; says what.
    """
    acted = not answers()
    if acted:
        _provide_engine()
    if names := plugins.missing():
        plugins.install(names)
        acted = True
    return acted


def _provide_engine() -> None:
    if os.geteuid() != 0:
        raise CommandError(
            "no Docker engine answers, and only root may start one: sudo python3 deploy/airgap engine"
        )
    if not _has("dockerd"):
        log_step("installing Docker")
        packages.install("docker.io", "iptables", "ca-certificates")
    if not _has("docker"):
        # Debian 13 has the client in a package of its own.
        packages.install("docker-cli")
    if not answers():
        daemon.start()


def _has(name: str) -> bool:
    return (
        shutil.which(name, path=f"{os.environ.get('PATH', '')}:{packages.SEARCH_PATH}") is not None
    )
