"""`make backup` and `make restore`."""

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backup import archive, cut, messages
from backup.shop import Shop
from native.errors import Cannot
from native.layout import REPOSITORY, SERVICES
from native.progress import say

FOLDER = REPOSITORY / "backups"


def backup(shop: Shop, target: Path | None) -> Path:
    """Write a backup of the running shop and return where it is.

    Raises:
        Cannot: the shop is down, or a dump failed; there is no file then.
    """
    if not shop.is_running():
        raise Cannot("Souk is down: `make up` first, its databases are read while they run")
    target = (target or FOLDER / f"souk-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar").absolute()
    if target.exists():
        raise Cannot(f"{target} exists")
    with tempfile.TemporaryDirectory(prefix="souk-backup-") as scratch:
        folder = Path(scratch)
        with cut.snapshots(shop) as snapshots:
            for service in SERVICES:
                cut.dump(shop, service, snapshots[service], folder / archive.DUMPS[service])
        _write_private(folder / archive.SECRETS, json.dumps(shop.secrets()))
        archive.pack(folder, archive.describe(shop, folder), target)
    return target


def restore(shop: Shop, source: Path, *, replace: bool) -> int:
    """Bring up the shop as it was at a backup, let it heal, and audit it; return the audit's exit code.

    Raises:
        Cannot: the shop runs, has data that `replace` does not give up, or the file is no good; nothing was changed then.
    """
    if shop.is_running():
        raise Cannot("Souk is up: `make down` first")
    with tempfile.TemporaryDirectory(prefix="souk-restore-") as scratch:
        folder = Path(scratch)
        manifest = archive.unpack(source, folder)
        if manifest["runtime"] != shop.name:
            raise Cannot(
                f"the backup is of a shop that runs as {manifest['runtime']}: RUNTIME={manifest['runtime']}"
            )
        _check_postgresql(shop, manifest)
        if shop.has_data() and not replace:
            raise Cannot("there are data already: `make backup` them, then ARGS=--replace deletes them")
        say(f"restoring the shop of {manifest['made_at']}")
        shop.erase()
        try:
            _fill(shop, folder)
        except BaseException:
            shop.erase()  # or the next `make up` would start half a shop
            raise
    shop.up()
    return shop.audit()


def _check_postgresql(shop: Shop, manifest: Mapping[str, Any]) -> None:
    """A newer server's dump is not for an older one; found out later, the data that were there would be gone."""
    dumped, here = int(manifest["postgresql"]) // 10_000, shop.postgresql_major()
    if dumped > here:
        raise Cannot(f"the backup is of PostgreSQL {dumped}, and here is {here}: use {dumped} or newer")


def _fill(shop: Shop, folder: Path) -> None:
    shop.put_secrets(json.loads((folder / archive.SECRETS).read_text()))
    with shop.empty_databases():
        for service in SERVICES:
            cut.restore(shop, service, folder / archive.DUMPS[service])
        messages.send_again(shop)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
