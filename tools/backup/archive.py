"""The file: a tar of three dumps, the secrets, the images of products, and a manifest.

The manifest says what made it, and has the checksum of each part.
"""

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from souk import sql
from souk.checkout import REPOSITORY, SERVICES
from souk.console import CommandError
from souk.runtime import Runtime

FORMAT = 1
MANIFEST, SECRETS = "manifest.json", "secrets.json"
#: Missing in backups of before there were any.
IMAGES = "images.tar"
DUMPS = {service: f"{service}.dump" for service in SERVICES}
APPLIED = "SELECT app || '.' || name FROM django_migrations ORDER BY id;"


def describe(shop: Runtime, folder: Path) -> dict[str, Any]:
    """Return the manifest of the parts that are in the folder."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return {
        "format": FORMAT,
        "runtime": shop.name,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "postgresql": sql.run_script(
            shop.client("users"), "users", "SHOW server_version_num;"
        ).strip(),
        "migrations": {
            service: sql.run_script(shop.client(service), service, APPLIED).splitlines()
            for service in SERVICES
        },
        "sha256": {path.name: _checksum(path) for path in sorted(folder.iterdir())},
    }


def pack(folder: Path, manifest: Mapping[str, Any], target: Path) -> None:
    """Write the archive, readable by its owner only; it appears under its name when it is whole."""
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    target.parent.mkdir(parents=True, exist_ok=True)
    making = target.with_name(f"{target.name}.part")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        parts = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
        for name in (MANIFEST, *parts):
            tar.add(folder / name, arcname=name)
        file.flush()
        os.fsync(file.fileno())
    making.rename(target)


def unpack(source: Path, folder: Path) -> dict[str, Any]:
    """Take an archive apart into the folder and return its manifest.

    One that is no backup, is damaged, or was made by a later version is refused.
    """
    try:
        with tarfile.open(source) as tar:
            for name in (MANIFEST, SECRETS, *DUMPS.values()):
                tar.extract(name, folder, filter="data")
            if IMAGES in tar.getnames():
                tar.extract(IMAGES, folder, filter="data")
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
        raise CommandError(f"{source} is no whole backup: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CommandError(f"{source} is no backup of a format that this version reads ({FORMAT})")
    missing = sorted(
        {"runtime", "made_at", "commit", "postgresql", "migrations", "sha256"} - manifest.keys()
    )
    if missing:
        raise CommandError(f"{source} is no whole backup: its manifest lacks {', '.join(missing)}")
    damaged = [
        name
        for name in (SECRETS, *DUMPS.values(), *(manifest["sha256"].keys() & {IMAGES}))
        if manifest["sha256"].get(name) != _checksum(folder / name)
    ]
    if damaged:
        raise CommandError(f"{source} is damaged: {', '.join(damaged)} are not what was written")
    _check_versions(manifest)
    return manifest


def _check_versions(manifest: Mapping[str, Any]) -> None:
    """Migrations go forward only: a database of later code is not for this code."""
    for service, applied in manifest["migrations"].items():
        places = {
            service: REPOSITORY / "services" / service / service,
            "servicekit": REPOSITORY / "services" / "servicekit" / "servicekit",
        }
        for app, _, name in (migration.partition(".") for migration in applied):
            if app in places and not (places[app] / "migrations" / f"{name}.py").exists():
                raise CommandError(
                    f"the backup was made by later code ({service} has {app}.{name}):"
                    f" check out {manifest['commit']} or newer"
                )


def _checksum(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
