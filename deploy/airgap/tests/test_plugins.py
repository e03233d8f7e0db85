"""Plugins are judged by what a real client prints; the client is a script of the test."""

from pathlib import Path

import pytest

from airgap import plugins


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker client that the test writes, first on the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "docker"


def write(client: Path, compose: str, buildx: str) -> None:
    client.write_text(f'#!/bin/sh\ncase "$1" in compose) {compose} ;; buildx) {buildx} ;; esac\n')
    client.chmod(0o755)


BUILDX = "echo github.com/docker/buildx v0.17.1 abc"


@pytest.mark.parametrize("version", ["2.20.0", "v2.20.2", "2.26.1-4", "5.0.0"])
def test_fresh_plugins_are_left_alone(client: Path, version: str) -> None:
    write(client, compose=f"echo {version}", buildx=BUILDX)

    assert plugins.missing() == []


@pytest.mark.parametrize("version", ["", "2.19.9", "1.29.2", "dev"])
def test_compose_that_is_missing_or_old_is_lacking(client: Path, version: str) -> None:
    write(client, compose=f"echo {version}", buildx=BUILDX)

    assert plugins.missing() == ["compose"]


def test_plugins_that_fail_are_missing_whatever_they_print(client: Path) -> None:
    write(
        client,
        compose="echo 2.30.0; exit 1",
        buildx="echo 'unknown command: docker buildx' >&2; exit 1",
    )

    assert plugins.missing() == ["compose", "buildx"]


def test_plugin_is_placed_whole_and_executable(tmp_path: Path) -> None:
    (tmp_path / "docker-compose").write_text("#!/bin/sh\n")

    plugins.place(tmp_path / "docker-compose", tmp_path / "to" / "plugins")

    placed = list((tmp_path / "to" / "plugins").iterdir())
    assert [path.name for path in placed] == ["docker-compose"]
    assert placed[0].stat().st_mode & 0o777 == 0o755
