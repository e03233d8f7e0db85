"""`engine`: a Docker engine that answers, and a client with compose and buildx."""

import os

from airgap import daemon, plugins
from compose.engine import answers
from native import packages
from souk.console import CommandError, log_step


def ensure() -> bool:
    """Return whether anything had to be done.

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
        raise CommandError("only root may start a Docker engine: sudo python3 deploy/airgap engine")
    if not packages.find_program("dockerd"):
        log_step("installing Docker")
        packages.install("docker.io", "iptables", "ca-certificates")
    if not packages.find_program("docker"):
        # Debian 13 has the client in a package of its own.
        packages.install("docker-cli")
    if not answers():
        daemon.start()
