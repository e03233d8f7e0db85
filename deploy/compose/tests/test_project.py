"""Which volumes a checkout that was moved or copied uses, and `make reset` deletes."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from compose import engine, first_values, project
from souk.checkout import REPOSITORY
from souk.console import CommandError
from souk.files import read_variables


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The .env of a checkout."""
    file = tmp_path / "my shop" / ".env"
    file.parent.mkdir()
    first_values.write_missing(file)
    return file


def copied(file: Path) -> Path:
    return Path(shutil.copytree(file.parent, file.parent.with_name("copy"))) / ".env"


def name(file: Path) -> str:
    return project.name(file, asked="")


def test_copy_has_another_project_than_the_original(original: Path) -> None:
    before = original.read_text()
    copy = copied(original)

    project.settle(copy)

    assert name(copy) != name(original)
    assert original.read_text() == before
    assert "GATEWAY_PORT" not in read_variables(copy)
    assert read_variables(copy)["STAFF_PASSWORD"] == read_variables(original)["STAFF_PASSWORD"]


def test_copy_keeps_the_project_it_has_got(original: Path) -> None:
    copy = copied(original)
    project.settle(copy)
    first = copy.read_text()

    project.settle(copy)

    assert copy.read_text() == first


def test_moved_checkout_keeps_its_project(original: Path) -> None:
    before = name(original)
    moved = original.parent.rename(original.parent.with_name("moved")) / ".env"

    project.settle(moved)

    assert name(moved) == before
    assert project.made_for(moved) == moved.parent


def test_copy_of_a_checkout_that_is_gone_does_not_take_its_project(original: Path) -> None:
    copy = copied(original)
    original.parent.rename(original.parent.with_name("moved"))

    with pytest.raises(CommandError, match="which is gone"):
        project.settle(copy)

    lines = copy.read_text().splitlines()
    copy.write_text("\n".join(line for line in lines if not line.startswith(project.MADE_FOR)))
    project.settle(copy)
    assert project.made_for(copy) is None


def test_new_checkout_where_a_moved_one_was_has_another_project(original: Path) -> None:
    moved = original.parent.rename(original.parent.with_name("moved")) / ".env"
    original.parent.mkdir()

    first_values.write_missing(original)

    assert name(original) != name(moved)


def test_checkout_without_env_has_nobodys_project(tmp_path: Path, original: Path) -> None:
    assert name(tmp_path / ".env") not in (name(original), project.SHARED)


def test_older_env_keeps_the_project_its_volumes_are_in(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{project.ALWAYS_SET}=abc\n")

    first_values.write_missing(file)

    assert name(file) == project.SHARED


def test_word_of_the_environment_holds(original: Path) -> None:
    assert project.name(original, asked="drill") == "drill"


def has_compose() -> bool:
    """Whether there is the docker client, with its plug-in."""
    return bool(shutil.which("docker")) and engine.docker("compose", "version").returncode == 0


@pytest.mark.skipif(not has_compose(), reason="needs docker compose")
def test_compose_itself_reads_the_project_from_env(original: Path) -> None:
    shutil.copy(REPOSITORY / "compose.yaml", original.parent)
    words = ("config", "--format", "json")

    done = subprocess.run(
        ["docker", "compose", "--project-directory", str(original.parent), *words],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        cwd=original.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert json.loads(done.stdout)["name"] == name(original), done.stderr
