"""What is no whole backup is refused in one sentence, before anything is touched."""

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backup import archive
from souk.console import CommandError
from souk.sql import major_version

PARTS = (archive.SECRETS, *archive.DUMPS.values())


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """Writes a backup whose manifest differs as a test wants."""

    def write(*, spoil: Callable[[Path], object] = lambda _folder: None, **changed: Any) -> Path:
        folder = tmp_path / "parts"
        folder.mkdir()
        for name in PARTS:
            (folder / name).write_text(f"content of {name}")
        manifest = {
            "format": archive.FORMAT,
            "runtime": "native",
            "made_at": "2026-11-26T12:00:00+00:00",
            "commit": "abc",
            "postgresql": "150018",
            "migrations": {"users": ["users.0001_initial", "servicekit.0001_initial"]},
            "sha256": {
                name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PARTS
            },
        }
        kept = {name: value for name, value in {**manifest, **changed}.items() if value is not None}
        spoil(folder)
        archive.pack(folder, kept, tmp_path / "backup.tar")
        return tmp_path / "backup.tar"

    return write


def unpack(source: Path, tmp_path: Path) -> dict[str, Any]:
    target = tmp_path / "target"
    target.mkdir()
    return archive.unpack(source, target)


def test_whole_backup_is_read_back_and_is_nobody_elses_to_read(
    pack: Callable[..., Path], tmp_path: Path
) -> None:
    source = pack()

    manifest = unpack(source, tmp_path)

    assert manifest["runtime"] == "native"
    assert (tmp_path / "target" / archive.SECRETS).read_text() == f"content of {archive.SECRETS}"
    assert source.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": 2}, "format"),
        ({"format": None}, "format"),
        ({"sha256": None}, "lacks sha256"),
        ({"migrations": None, "runtime": None}, "lacks migrations, runtime"),
        ({"migrations": {"users": ["users.9999_later"]}}, "made by later code"),
        (
            {"spoil": lambda folder: (folder / archive.SECRETS).write_text("other")},
            "damaged: secrets.json",
        ),
    ],
)
def test_backup_that_cannot_be_restored_is_refused(
    pack: Callable[..., Path], tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        unpack(pack(**changed), tmp_path)


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b\x08"])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "holiday.tar"
    source.write_bytes(content)

    with pytest.raises(CommandError, match="no whole backup"):
        unpack(source, tmp_path)


def test_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "photos.tar"
    (tmp_path / "photo").write_text("a lantern")
    with tarfile.open(source, "w") as tar:
        tar.add(tmp_path / "photo", arcname="photo")

    with pytest.raises(CommandError, match="no whole backup"):
        unpack(source, tmp_path)


def test_manifest_that_is_no_object_is_refused(pack: Callable[..., Path], tmp_path: Path) -> None:
    source = pack()
    folder = tmp_path / "parts"
    (folder / archive.MANIFEST).write_text(json.dumps([1]))
    with tarfile.open(source, "w") as tar:
        for name in (archive.MANIFEST, *PARTS):
            tar.add(folder / name, arcname=name)

    with pytest.raises(CommandError, match="format"):
        unpack(source, tmp_path)


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("pg_restore (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)", 17),
        ("pg_restore (PostgreSQL) 15.18", 15),
    ],
)
def test_version_of_the_server_is_read(said: str, number: int) -> None:
    assert major_version(said) == number
