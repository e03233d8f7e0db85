"""Images of products: files that never change, and that stay for a day when no row names them.

So those that the rows of a snapshot name are all there for hours after it. What lies in a bucket
(MEDIA_STORAGE) is not ours to save.
"""

import subprocess
from pathlib import Path
from typing import IO

from compose import engine
from native.layout import current
from souk.console import CommandError, log_step
from souk.runtime import Runtime

FOLDER = "/var/lib/souk-media"  # in containers
#: tar's word for a file that changed or went while it was read.
SOME_DIFFER = 1


def save(shop: Runtime, target: Path) -> None:
    """Write the images of a shop that runs into a tar."""
    with target.open("wb") as file:
        _tar(shop, "--create", ".", stdout=file)
    log_step(f"images: {target.stat().st_size / 1e6:.1f} MB")


def restore(shop: Runtime, source: Path) -> None:
    """Put the images of a backup into a shop that runs; older backups have none."""
    if source.exists():
        with source.open("rb") as file:
            _tar(shop, "--extract", "--no-same-owner", stdin=file)
        log_step("images are restored")


def _tar(
    shop: Runtime,
    *words: str,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
) -> None:
    if shop.name == "native":
        command = ["tar", "--directory", str(current().media), *words]
    else:
        inside = ("exec", "-T", "products-worker", "tar", "--directory", FOLDER)
        command = engine.compose_command(*inside, *words)
    done = subprocess.run(
        command,
        env=engine.environment(),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode not in (0, SOME_DIFFER):
        raise CommandError(f"tar of the images failed: {done.stderr.decode()[-2000:].strip()}")
