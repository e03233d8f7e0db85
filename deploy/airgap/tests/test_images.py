"""The stand-ins need no registry, and stand where the shop's compose.yaml names an image."""

import re
import shutil

import pytest

from airgap import debian, images
from compose import engine
from souk.checkout import REPOSITORY

TEXT = (images.HERE / "compose.yaml").read_text()
SHOP = (REPOSITORY / "compose.yaml").read_text()
FOLDERS = sorted(path.parent for path in images.HERE.glob("*/Dockerfile"))


def has_compose() -> bool:
    """Whether there is the docker client, with its plug-in."""
    return bool(shutil.which("docker")) and engine.docker("compose", "version").returncode == 0


def test_every_folder_is_built_and_stands_in_for_an_image_of_the_shop() -> None:
    names = [folder.name for folder in FOLDERS]

    assert sorted(re.findall(r"context: (\w+)", TEXT)) == names
    assert [name for name in names if f"${{{name.upper()}_IMAGE:-" not in SHOP] == []


def test_tag_says_the_version_that_the_dockerfile_checks() -> None:
    tags = dict(re.findall(r"image: souk-airgap/(\w+):(\S+)", TEXT))
    versions = dict(re.findall(r'context: (\w+),.*VERSION: "([^"]+)"', TEXT))

    assert tags == versions
    assert [f.name for f in FOLDERS if "${VERSION}" not in (f / "Dockerfile").read_text()] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_stand_in_needs_a_registry(folder) -> None:
    lines = (folder / "Dockerfile").read_text().splitlines()

    assert not lines[0].startswith("# syntax")
    assert {line for line in lines if line.startswith("FROM")} == {"FROM ${BASE}"}
    assert f"BASE: {debian.TAG}" in TEXT


@pytest.mark.skipif(not has_compose(), reason="needs docker compose")
def test_stand_ins_are_known_by_the_shops_variables() -> None:
    found = images.stand_ins()

    assert found["POSTGRES_IMAGE"] == "souk-airgap/postgres:17"
    assert len(found) == len(FOLDERS)
