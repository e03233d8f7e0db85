"""What is read from compose.yaml, for both runtimes."""

import subprocess

import pytest
import yaml

from souk import checkout
from souk.checkout import POSTGRESQL_SETTINGS, PROCESSES, REPOSITORY, SCALABLE

CONTAINERS = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]


def test_processes_are_the_containers_of_a_service_image_that_do_not_end() -> None:
    images = {f"souk/{service}:${{SOUK_TAG:-local}}" for service in checkout.SERVICES}
    lasting = [
        name
        for name, container in CONTAINERS.items()
        if container["image"] in images and container["command"] not in (["migrate"], ["broker"])
    ]

    assert lasting == PROCESSES


def test_command_of_each_container_is_the_process_in_its_name() -> None:
    assert {name: CONTAINERS[name]["command"] for name in PROCESSES} == {
        name: [name.partition("-")[2]] for name in PROCESSES
    }


@pytest.mark.parametrize("process", sorted({name.partition("-")[2] for name in PROCESSES}))
def test_image_can_run_and_check_each_process(process: str) -> None:
    run = (REPOSITORY / "deploy" / "image" / "run").read_text()

    assert f"\n{process}) exec " in run
    assert CONTAINERS[f"orders-{process}"]["healthcheck"]["test"][-1] == process


def test_every_process_but_beat_may_be_scaled() -> None:
    assert {name for name in PROCESSES if "scale" in CONTAINERS[name]} == set(SCALABLE)
    assert [name for name in PROCESSES if name not in SCALABLE and "beat" not in name] == []


def test_settings_of_postgresql_are_those_of_every_database_container() -> None:
    for service in checkout.SERVICES:
        words = CONTAINERS[f"{service}-db"]["command"].split()
        given = dict(word.split("=") for word in words if "=" in word)
        assert given == POSTGRESQL_SETTINGS


def test_command_begins_on_the_standard_library_alone() -> None:
    """-I -S: no .venv, no site-packages; what needs those is imported when it is used."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import souk.cli, compose.runtime"
    command = ["python3", "-I", "-S", "-c", code, str(REPOSITORY / "deploy")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
