"""Where test servers come from; the docker client is a script of the test."""

from pathlib import Path

import pytest

from souk.console import CommandError
from testservers import servers

IMAGES = {"POSTGRES_IMAGE": "pg:1", "RABBITMQ_IMAGE": "mq:1", "REDIS_IMAGE": "re:1"}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker client that the test writes, the only program on the PATH but the shell's."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "docker"


def write(docker: Path, script: str) -> None:
    docker.write_text(f"#!/bin/sh\n{script}\n")
    docker.chmod(0o755)


def test_images_are_those_of_compose_unless_a_variable_says_another() -> None:
    found = servers.images({"POSTGRES_IMAGE": "pg:1", "REDIS_IMAGE": ""})

    assert found["POSTGRES_IMAGE"] == "pg:1"
    assert found["REDIS_IMAGE"].startswith("redis:")
    assert found.keys() == IMAGES.keys()


def test_native_asks_no_engine(docker: Path) -> None:
    write(docker, "touch $0.asked")

    assert servers.source({"TEST_SERVERS": "native"})[0] == "native"
    assert not docker.with_name("docker.asked").exists()


def test_engine_with_the_images_is_taken(docker: Path) -> None:
    write(docker, "exit 0")

    assert servers.source(IMAGES) == ("containers", "TEST_SERVERS=auto: pg:1, mq:1, re:1")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 1", "no Docker engine answers"),
        ('case "$*" in info) ;; *mq:1) exit 1 ;; esac', "there is no image mq:1"),
    ],
)
def test_native_is_taken_where_something_lacks_unless_containers_are_asked_for(
    docker: Path, script: str, why: str
) -> None:
    write(docker, script)

    chosen, reason = servers.source(IMAGES)

    assert chosen == "native"
    assert why in reason
    with pytest.raises(CommandError, match=f"{why}.*make airgap-images"):
        servers.source(IMAGES | {"TEST_SERVERS": "containers"})


def test_image_that_can_be_pulled_is_not_missing(docker: Path) -> None:
    write(docker, 'case "$*" in "image inspect"*) exit 1 ;; *) exit 0 ;; esac')

    assert servers.source(IMAGES)[0] == "containers"


def test_unknown_word_is_refused() -> None:
    with pytest.raises(CommandError, match="use auto, containers or native"):
        servers.source({"TEST_SERVERS": "podman"})
