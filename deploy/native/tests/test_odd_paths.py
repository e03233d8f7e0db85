"""Folders with odd names: everything works in them, or one sentence says why not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from native.layout import Layout
from souk.checkout import REPOSITORY
from souk.console import CommandError

ODD = "ü's (50%) [x] & {y};z"


def test_servers_run_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(REPOSITORY / "deploy" / "souk"),
        "test-env",
        "--dir",
        str(tmp_path / ODD),
    ]
    variables = {**os.environ, "TEST_SERVERS": "native"}

    started = subprocess.run(command, env=variables, capture_output=True, text=True)
    ended = subprocess.run([*command, "--stop"], env=variables, capture_output=True, text=True)

    assert started.returncode == 0, started.stderr
    assert "RabbitMQ answers" in started.stderr
    assert "export REDIS_URL" in started.stdout or "redis://" in started.stdout
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / ODD).exists()


def test_gateway_runs_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    # Its configuration lies where Layout.plain says: nginx takes brackets in the path of an include
    # for a pattern.
    folder = tmp_path / "conf"
    variables = {
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "GATEWAY_LISTEN": "127.0.0.1:1",
        "USERS_UPSTREAM": "127.0.0.1:2",
        "PRODUCTS_UPSTREAM": "127.0.0.1:3",
        "ORDERS_UPSTREAM": "127.0.0.1:4",
        "LIVE_UPSTREAM": "127.0.0.1:5",
        "RUN_DIR": str(tmp_path / ODD),
        "NJS_DIR": str(tmp_path / f"{ODD} njs"),
    }
    (tmp_path / f"{ODD} njs").symlink_to(REPOSITORY / "gateway" / "njs")

    subprocess.run(
        [REPOSITORY / "gateway" / "container-entry", "--render", folder],
        env=variables,
        check=True,
    )
    checked = subprocess.run(
        ["nginx", "-t", "-c", str(folder / "nginx.conf")],
        env=variables,
        capture_output=True,
        text=True,
    )

    assert "syntax is ok" in checked.stderr, checked.stderr


@pytest.mark.parametrize("letter", ['"', "\\", "$", "`", ":", "\n", "\t", " ;", " #"])
def test_folder_that_not_every_program_can_take_is_refused_by_name(
    tmp_path: Path, letter: str
) -> None:
    layout = Layout(tmp_path / f"a{letter}b" / "state")

    with pytest.raises(CommandError) as refused:
        layout.make()

    assert repr(letter) in str(refused.value)
    assert "move it" in str(refused.value)
    assert not layout.state.exists()


@pytest.mark.parametrize(
    "name",
    [
        "Online Retail.csv",
        "a'b.csv",
        'a"b.csv',
        "a$b.csv",
        "a%b#c.csv",
        "ä;b&c.csv",
        "a\\b.csv",
        "(a) [b] {c}.csv",
    ],
)
@pytest.mark.parametrize("target", ["demo", "backup", "restore"])
def test_file_named_to_make_arrives_whole(target: str, name: str) -> None:
    echo = f"{sys.executable} -c 'import sys; print(sys.argv[-1])'"
    command = ["make", "-s", target, f"FILE={name}", f"SHOP={echo}", f"BACKUP={echo}"]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert done.stdout == f"{name}\n"
