import stat
from pathlib import Path

import pytest

from souk import dotenv
from souk.console import CommandError


def test_remember_changes_its_lines_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nA=1\nOWN=yes\nA=2\n")

    changed = dotenv.set_values({"A": "3", "B": "4"}, file)

    assert file.read_text() == "# mine\nA=3\nOWN=yes\nB=4\n"
    assert changed == ["A", "B"]
    assert dotenv.set_values({"A": "3"}, file) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["a b", "a'b", 'a"b', "a$b", "a#b", "a\\b", "a\nb"])
def test_remember_refuses_what_compose_would_interpret(tmp_path: Path, value: str) -> None:
    with pytest.raises(CommandError, match="NAME"):
        dotenv.set_values({"NAME": value}, tmp_path / ".env")

    assert not (tmp_path / ".env").exists()


def test_forget_drops_the_named_lines_only(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n#B=2\nC=3\n")

    dotenv.drop_values(["A", "B"], file)

    assert file.read_text() == "#B=2\nC=3\n"
