"""What backup and restore refuse, before anything is touched."""

import json
from pathlib import Path
from typing import Any

import pytest

from backup import archive, commands
from native.layout import Layout
from native.runtime import NativeRuntime
from souk.console import CommandError


def files_of(layout: Layout) -> dict[str, bytes]:
    # `lock` comes and goes with each command.
    return {
        str(path.relative_to(layout.state)): path.read_bytes()
        for path in layout.state.rglob("*")
        if path.is_file() and path.name not in ("lock", "postmaster.opts")
    }


@pytest.fixture
def stopped(layout: Layout) -> NativeRuntime:
    """A shop with data, which does not run."""
    (layout.state / "postgres").mkdir()
    (layout.state / "postgres" / "kept").write_text("data")
    (layout.secrets / "redis").write_text("secret")
    return NativeRuntime(layout)


def backup_file(tmp_path: Path, **changed: Any) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / archive.SECRETS).write_text(json.dumps({"redis": "of the backup"}))
    for name in archive.DUMPS.values():
        (folder / name).write_text("no dump")
    manifest = {
        "format": archive.FORMAT,
        "runtime": "native",
        "made_at": "2026-11-26T12:00:00+00:00",
        "commit": "abc",
        "postgresql": "150000",
        "migrations": {},
        "sha256": {path.name: archive._checksum(path) for path in folder.iterdir()},
    }
    archive.pack(folder, manifest | changed, tmp_path / "backup.tar")
    return tmp_path / "backup.tar"


def test_backup_of_a_shop_that_is_down_is_refused(stopped: NativeRuntime, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Souk is down"):
        commands.backup(stopped, tmp_path / "new.tar")

    assert not (tmp_path / "new.tar").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "there are data already"),
        ({"runtime": "compose"}, "RUNTIME=compose"),
        ({"postgresql": "990000"}, "of PostgreSQL 99"),
        ({"format": 99}, "format"),
    ],
)
def test_restore_that_cannot_be_done_changes_nothing(
    stopped: NativeRuntime, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    before = files_of(stopped.layout)

    with pytest.raises(CommandError, match=said):
        commands.restore(stopped, backup_file(tmp_path, **changed), replace=False)

    assert files_of(stopped.layout) == before


def test_secret_that_names_a_place_elsewhere_is_refused(stopped: NativeRuntime) -> None:
    with pytest.raises(CommandError, match="no file name of ours"):
        stopped.put_secrets({"../../escaped": "x"})

    assert not (stopped.layout.state.parent / "escaped").exists()
