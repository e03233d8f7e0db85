import stat
from pathlib import Path

import pytest

from compose import first_values
from souk import dotenv
from souk.console import CommandError
from souk.files import read_variables


def test_first_values_are_random_and_stay(tmp_path: Path) -> None:
    file, other = tmp_path / ".env", tmp_path / "other.env"

    written = first_values.write_missing(file)
    first = read_variables(file)

    assert set(first_values.SECRETS) <= set(written)
    secrets = [first[name] for name in first_values.SECRETS]
    assert len(set(secrets)) == len(secrets)
    assert min(map(len, secrets)) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first_values.write_missing(file) == []
    assert read_variables(file) == first
    assert {"GATEWAY_PORT", "MAIL_PAGE_PORT"} <= set(written)
    first_values.write_missing(other)
    assert not set(secrets) & set(read_variables(other).values())


def test_check_names_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    first_values.write_missing(file)
    values = {**read_variables(file), "REDIS_PASSWORD": ""}

    with pytest.raises(CommandError, match="REDIS_PASSWORD"):
        first_values.check(values)
    first_values.check(read_variables(file))


@pytest.mark.parametrize(
    ("bind", "limits", "warned"),
    [
        ("0.0.0.0", True, True),
        ("0.0.0.0", False, False),
        ("127.0.0.1", True, False),
        ("", True, False),
    ],
)
def test_wide_open_gateway_is_warned_of(bind: str, limits: bool, warned: bool) -> None:
    values = {"GATEWAY_BIND": bind, **(dotenv.LOOPBACK_LIMITS if limits else {})}

    assert bool(first_values.warning(values)) is warned
