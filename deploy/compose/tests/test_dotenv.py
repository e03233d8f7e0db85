import stat
from pathlib import Path

import pytest

from compose import dotenv, first_values
from native import variables
from native.errors import Cannot


def test_remember_changes_its_lines_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nA=1\nOWN=yes\nA=2\n")

    changed = dotenv.remember({"A": "3", "B": "4"}, file)

    assert file.read_text() == "# mine\nA=3\nOWN=yes\nB=4\n"
    assert changed == ["A", "B"]
    assert dotenv.remember({"A": "3"}, file) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["a b", "a'b", 'a"b', "a$b", "a#b", "a\\b", "a\nb"])
def test_remember_refuses_what_compose_would_interpret(tmp_path: Path, value: str) -> None:
    with pytest.raises(Cannot, match="NAME"):
        dotenv.remember({"NAME": value}, tmp_path / ".env")

    assert not (tmp_path / ".env").exists()


def test_forget_drops_the_named_lines_only(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n#B=2\nC=3\n")

    dotenv.forget(["A", "B"], file)

    assert file.read_text() == "#B=2\nC=3\n"


def test_first_values_are_random_and_stay(tmp_path: Path) -> None:
    file, other = tmp_path / ".env", tmp_path / "other.env"

    written = first_values.ensure(file)
    first = dotenv.read(file)

    assert set(first_values.SECRETS) <= set(written)
    secrets = [first[name] for name in first_values.SECRETS]
    assert len(set(secrets)) == len(secrets)
    assert min(map(len, secrets)) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first_values.ensure(file) == []
    assert dotenv.read(file) == first
    first_values.ensure(other)
    assert not set(secrets) & set(dotenv.read(other).values())


def test_check_names_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    first_values.ensure(file)
    values = {**dotenv.read(file), "REDIS_PASSWORD": ""}

    with pytest.raises(Cannot, match="REDIS_PASSWORD"):
        first_values.check(values)
    first_values.check(dotenv.read(file))


@pytest.mark.parametrize(
    ("bind", "limits", "warned"),
    [("0.0.0.0", True, True), ("0.0.0.0", False, False), ("127.0.0.1", True, False), ("", True, False)],
)
def test_wide_open_gateway_is_warned_of(bind: str, limits: bool, warned: bool) -> None:
    values = {"GATEWAY_BIND": bind, **(variables.GENEROUS_LIMITS if limits else {})}

    assert bool(first_values.warnings(values)) is warned
