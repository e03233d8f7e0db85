"""`make backup` and `make restore`."""

import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backup import archive, cut, images, messages
from souk.checkout import REPOSITORY, SERVICES
from souk.console import CommandError, log_step
from souk.files import write_file
from souk.runtime import Runtime

FOLDER = REPOSITORY / "backups"


def backup(shop: Runtime, target: Path | None) -> Path:
    """Write a backup of the running shop and return where it is; no file is left of a failure."""
    if not shop.is_running():
        raise CommandError("Souk is down: `make up` first, its databases are read while they run")
    target = (target or FOLDER / f"souk-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar").absolute()
    if target.exists():
        raise CommandError(f"{target} exists")
    with tempfile.TemporaryDirectory(prefix="souk-backup-") as scratch:
        folder = Path(scratch)
        with cut.snapshots(shop) as snapshots:
            for service in SERVICES:
                cut.dump(shop, service, snapshots[service], folder / archive.DUMPS[service])
        images.save(shop, folder / archive.IMAGES)
        write_file(folder / archive.SECRETS, json.dumps(shop.secrets()))
        archive.pack(folder, archive.describe(shop, folder), target)
    return target


def restore(shop: Runtime, source: Path, *, replace: bool) -> int:
    """Bring up the shop as it was at a backup, let it heal, and audit it.

    Returns the audit's exit code. Nothing is changed where the shop runs, has data that `replace`
    does not give up, or where the file is no good.
    """
    if shop.is_running():
        raise CommandError("Souk is up: `make down` first")
    with tempfile.TemporaryDirectory(prefix="souk-restore-") as scratch:
        folder = Path(scratch)
        manifest = archive.unpack(source, folder)
        if manifest["runtime"] != shop.name:
            runtime = manifest["runtime"]
            raise CommandError(f"the backup is of a shop that runs as {runtime}: RUNTIME={runtime}")
        _check_postgresql(shop, manifest)
        if shop.has_data() and not replace:
            fix = "`make backup` them, then ARGS=--replace deletes them"
            raise CommandError(f"there are data already: {fix}")
        log_step(f"restoring the shop of {manifest['made_at']}")
        shop.erase()
        try:
            _fill(shop, folder)
        except BaseException:
            shop.erase()  # or the next `make up` would start half a shop
            raise
        shop.up()
        images.restore(shop, folder / archive.IMAGES)
    return shop.run_tool("audit", [])


def _check_postgresql(shop: Runtime, manifest: Mapping[str, Any]) -> None:
    """An older server cannot read a newer server's dump: say so while the old data are there."""
    dumped, here = int(manifest["postgresql"]) // 10_000, shop.postgresql_major()
    if dumped > here:
        fix = f"use {dumped} or newer"
        raise CommandError(f"the backup is of PostgreSQL {dumped}, and here is {here}: {fix}")


def _fill(shop: Runtime, folder: Path) -> None:
    shop.put_secrets(json.loads((folder / archive.SECRETS).read_text()))
    with shop.empty_databases():
        for service in SERVICES:
            cut.restore(shop, service, folder / archive.DUMPS[service])
        messages.send_again(shop)
