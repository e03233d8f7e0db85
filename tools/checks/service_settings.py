"""The settings that a person may set for every service, in compose.yaml: the same as .env.example
has.

`make settings` writes them there, so that a new setting is two edits: where it is read, and
.env.example. Compose passes no variable on that compose.yaml does not name.
"""

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^# --- For every service:.*?$(.*?)^# --- ", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^#([A-Z][A-Z0-9_]*)=", re.MULTILINE)
BLOCK = re.compile(r"(?<=^x-settings: &settings\n)(?:  .*\n)+", re.MULTILINE)


def with_settings(compose: str, example: str) -> str:
    """Return the text of compose.yaml with the settings that .env.example has for every service."""
    section = SECTION.search(example)
    names = NAME.findall(section[1]) if section else []
    if not names or not BLOCK.search(compose):
        raise SystemExit(
            "compose.yaml or .env.example has lost the part with the services' settings"
        )
    lines = "".join(f"  {name}: ${{{name}:-}}\n" for name in names)
    return BLOCK.sub(lambda _: lines, compose)


def main(*, only_check: bool) -> int:
    """Write compose.yaml, or only compare it; return the exit code."""
    path = REPOSITORY / "compose.yaml"
    found = path.read_text(encoding="utf-8")
    wanted = with_settings(found, (REPOSITORY / ".env.example").read_text(encoding="utf-8"))
    if found == wanted:
        return 0
    if only_check:
        print("compose.yaml does not have the settings of .env.example: run `make settings`")
        return 1
    path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv))
