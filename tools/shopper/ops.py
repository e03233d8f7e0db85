"""Where the running shop is and who its staff is: the state folder's env/ops.env."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class StackUnknown(RuntimeError):
    """There is no running shop in the state folder."""


@dataclass(frozen=True)
class Ops:
    """What the operator of a stack knows.

    The values come from env/ops.env; the process environment overrides them.
    """

    state: Path
    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        value = os.environ.get(name) or self.values.get(name)
        if not value:
            raise StackUnknown(
                f"{name} is not known: {self.state}/env/ops.env does not say it. "
                "Is the shop up (make up)?"
            )
        return value

    @property
    def gateway(self) -> str:
        return self["GATEWAY_URL"].rstrip("/")


def state_dir() -> Path:
    """Return the folder that the native runtime keeps its state in."""
    return Path(os.environ.get("SOUK_STATE_DIR") or ROOT / ".souk")


def load_ops(state: Path | None = None) -> Ops:
    """Read env/ops.env of a state folder (default: `state_dir()`).

    A missing file is fine as long as the process environment has what is asked for.
    """
    folder = state or state_dir()
    file = folder / "env" / "ops.env"
    return Ops(folder, read_env_file(file) if file.exists() else {})


def read_env_file(file: Path) -> dict[str, str]:
    """Read `NAME=value` lines; values may be quoted, lines may start with `export`."""
    values = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, is_assignment, value = line.strip().removeprefix("export ").partition("=")
        if is_assignment and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("'\"")
    return values
