"""`python3 tools/testservers [--dir FOLDER] [--stop]`: start them and print the tests' variables.

`python3 deploy/souk test-env` calls it.
"""

import argparse
import sys
from pathlib import Path

# The packages below tools/ and deploy/ are on the path, not this folder: it is one of them.
_TOOLS = Path(__file__).resolve().parents[1]
sys.path[0:1] = [str(_TOOLS), str(_TOOLS.parent / "deploy")]

from native.layout import Layout  # noqa: E402
from souk.console import exit_code  # noqa: E402
from souk.runtime import continue_in_venv  # noqa: E402


def main() -> int:
    """Run the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="test-env", description=__doc__)
    parser.add_argument("--dir", type=Path, help="their folder (default: that of this checkout)")
    parser.add_argument("--stop", action="store_true", help="end them and delete their folder")
    options = parser.parse_args()
    return exit_code(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Start the servers and print the variables, or end them."""
    continue_in_venv(install=True)
    from testservers import servers

    layout = Layout(options.dir.resolve()) if options.dir else servers.default_layout()
    if options.stop:
        servers.end(layout)
        return
    for name, value in servers.start(layout).items():
        print(f"export {name}={value}")


sys.exit(main())
