"""`make backup` and `make restore`: the commands of `python3 tools/backup`."""

import argparse
from pathlib import Path

from backup import commands
from souk.console import exit_code
from souk.runtime import choose


def main() -> int:
    """Run one command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tools/backup", description="Saves a shop, and its data.")
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    sub = names.add_parser("backup", help="write databases and secrets into one file")
    sub.add_argument("file", nargs="?", type=Path, help="default: backups/souk-TIME.tar")
    sub.set_defaults(command=backup)
    sub = names.add_parser("restore", help="bring the shop up as it was at a backup, and audit it")
    sub.add_argument("file", type=Path)
    sub.add_argument("--replace", action="store_true", help="delete the data that are there")
    sub.set_defaults(command=restore)
    options = parser.parse_args()
    return exit_code(lambda: options.command(options))


def backup(options: argparse.Namespace) -> None:
    """Write a backup of the shop that runs, and say where it is."""
    made = commands.backup(choose(), options.file)
    print(
        f"{made} holds the data and the secrets, which are not encrypted:"
        " keep it where only you can read it."
    )


def restore(options: argparse.Namespace) -> int:
    """Restore a backup; the exit code is the audit's."""
    return commands.restore(choose(installs=True), options.file, replace=options.replace)
