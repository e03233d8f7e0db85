from pathlib import Path

import pytest

from airgap import standins
from souk.console import CommandError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "image" / "root").mkdir(parents=True)
    (tmp_path / "image" / "Dockerfile").write_text("FROM base\n")
    (tmp_path / "image" / "root" / "start").write_text("#!/bin/sh\n")
    return tmp_path / "image"


def test_digest_stays_when_nothing_changes(folder: Path) -> None:
    before = standins.digest([folder], "17")

    (folder / "Dockerfile").touch()

    assert standins.digest([folder], "17") == before


def test_digest_is_the_same_wherever_the_checkout_lies(folder: Path, tmp_path: Path) -> None:
    before = standins.digest([folder])
    (tmp_path / "elsewhere").mkdir()

    moved = folder.rename(tmp_path / "elsewhere" / "image")

    assert standins.digest([moved]) == before


def test_digest_changes_with_a_files_content(folder: Path) -> None:
    before = standins.digest([folder])

    (folder / "root" / "start").write_text("#!/bin/bash\n")

    assert standins.digest([folder]) != before


def test_digest_changes_when_a_file_becomes_executable(folder: Path) -> None:
    before = standins.digest([folder])

    (folder / "root" / "start").chmod(0o755)

    assert standins.digest([folder]) != before


def test_digest_changes_when_a_file_moves(folder: Path) -> None:
    before = standins.digest([folder])

    (folder / "root" / "start").rename(folder / "start")

    assert standins.digest([folder]) != before


def test_digest_tells_words_apart(folder: Path) -> None:
    assert standins.digest([folder], "1", "7") != standins.digest([folder], "17")


def test_stand_in_depends_on_its_base() -> None:
    nginx, redis = standins.chosen(["nginx"]) + standins.chosen(["redis"])

    assert standins.image_digest(nginx, "base") != standins.image_digest(nginx, "other base")
    assert standins.image_digest(nginx, "base") != standins.image_digest(redis, "base")
    assert standins.base_digest("http://mirror.example") != standins.base_digest(
        "http://other.example"
    )


def test_missing_and_changed_images_are_stale_and_others_are_not() -> None:
    wanted = {"same": "1", "changed": "2", "missing": "3", "unlabelled": "4"}
    present = {"same": "1", "changed": "1", "unlabelled": "", "unasked": "9"}

    assert standins.stale(wanted, present) == ["changed", "missing", "unlabelled"]


def test_force_makes_everything_asked_for_stale() -> None:
    assert standins.stale({"same": "1"}, {"same": "1"}, force=True) == ["same"]


def test_no_names_mean_all() -> None:
    assert standins.chosen([]) == list(standins.ALL)
    assert [one.name for one in standins.chosen(["redis", "python"])] == ["python", "redis"]


def test_unknown_name_is_refused() -> None:
    with pytest.raises(CommandError, match="no stand-in mysql"):
        standins.chosen(["redis", "mysql"])


def test_every_stand_in_has_its_files_and_none_needs_a_registry() -> None:
    for one in (standins.BASE, *standins.ALL):
        lines = (one.folder / "Dockerfile").read_text().splitlines()
        sources = {line.split()[1] for line in lines if line.startswith("FROM")}

        assert not lines[0].startswith("# syntax")
        assert sources <= {"${BASE}", "${RAW}", "scratch"}


def test_every_stand_in_stands_in_where_compose_names_an_image() -> None:
    compose = (standins.HERE.parents[1] / "compose.yaml").read_text()

    assert [one.variable for one in standins.ALL if f"${{{one.variable}:-" not in compose] == []
