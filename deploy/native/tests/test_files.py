import stat
from pathlib import Path

import pytest

from native import variables
from native.layout import Layout
from native.ports import NAMES
from souk import files
from souk.checkout import SERVICES
from souk.console import CommandError

PORTS = {name: 20_000 + number for number, name in enumerate(NAMES)}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secret_is_made_once_and_only_ours_to_read(layout: Layout) -> None:
    first = layout.secret("redis")

    assert len(first) >= 32
    assert layout.secret("redis") == first
    assert layout.secret("postgres-users") != first
    assert mode(layout.secrets / "redis") == 0o600
    assert mode(layout.secrets) == 0o700


def test_variables_are_only_ours_to_read(layout: Layout) -> None:
    variables.write(layout, PORTS)

    found = sorted(path.name for path in layout.env.iterdir())
    assert found == [
        "gateway.env",
        "mailsink.env",
        "ops.env",
        "orders.env",
        "products.env",
        "users.env",
    ]
    assert {mode(path) for path in layout.env.iterdir()} == {0o600}


def test_variables_are_the_same_when_written_again(layout: Layout) -> None:
    variables.write(layout, PORTS)
    before = {path: path.read_text() for path in layout.env.iterdir()}

    variables.write(layout, PORTS)

    assert {path: path.read_text() for path in layout.env.iterdir()} == before


def test_each_service_knows_its_own_secrets_only(layout: Layout) -> None:
    found = {name: variables.service(layout, PORTS, name, {}) for name in SERVICES}

    for secret in ("SECRET_KEY", "DATABASE_URL", "BROKER_URL"):
        assert len({variables[secret] for variables in found.values()}) == len(SERVICES)
    assert [name for name in SERVICES if "KEY_ENCRYPTION_KEY" in found[name]] == ["users"]


def test_only_tunable_variables_come_from_outside(layout: Layout) -> None:
    outside = {
        "LOG_LEVEL": "DEBUG",
        "SECRET_KEY": "guessed",
        "DATABASE_URL": "postgres://elsewhere/",
    }

    found = variables.service(layout, PORTS, "orders", outside)

    assert found["LOG_LEVEL"] == "DEBUG"
    assert found["SECRET_KEY"] != "guessed"
    assert "elsewhere" not in found["DATABASE_URL"]


def test_write_tells_whether_it_changed_anything(tmp_path: Path) -> None:
    assert files.write_file(tmp_path / "a", "one")
    assert not files.write_file(tmp_path / "a", "one")
    assert files.write_file(tmp_path / "a", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_variables_with_a_line_break_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="NAME"):
        files.write_variables(tmp_path / "a.env", {"NAME": "one\nOTHER=two"})


def test_a_second_command_on_the_same_stack_is_refused(tmp_path: Path) -> None:
    with (
        files.locked(tmp_path),
        pytest.raises(CommandError, match="another command"),
        files.locked(tmp_path),
    ):
        pass
