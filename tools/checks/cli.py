"""The commands of `python3 tools/checks`; the Makefile's targets call them."""

import argparse

from souk.checkout import SERVICES
from souk.console import CommandError, exit_code
from souk.runtime import choose, continue_in_venv

Options = argparse.Namespace
SUITES = ("e2e", "fuzz", "faults", "containers")


def main() -> int:
    """Run one command, under .venv's Python. Returns the exit code."""
    options = _parser().parse_args()
    return exit_code(lambda: _run(options))


def _run(options: Options) -> int:
    continue_in_venv(install=True)
    return 0 if options.command(options) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/checks")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sub = commands.add_parser("test", help="all tests, or some parts")
    sub.add_argument("parts", nargs="*")
    sub.set_defaults(command=test)
    sub = commands.add_parser("lint", help="all checks, or those whose name begins so")
    sub.add_argument("names", nargs="*")
    sub.set_defaults(command=lint)
    sub = commands.add_parser("documents", help="write OpenAPI or AsyncAPI from the code")
    sub.add_argument("kind", choices=["openapi", "events"])
    sub.add_argument("--check", action="store_true", help="only compare")
    sub.set_defaults(command=documents)
    sub = commands.add_parser("migrations", help="write what a service's models ask for")
    sub.add_argument("service", choices=SERVICES)
    sub.add_argument("name", nargs="?", default="", help="of the file: order_note")
    sub.set_defaults(command=migrations)
    for name in SUITES:
        sub = commands.add_parser(name, help="that suite of tests/, against the shop that is up")
        sub.add_argument("words", nargs=argparse.REMAINDER, help="for pytest")
        sub.set_defaults(command=suite, suite=name)
    return parser


# Imported where they are used: they need what is in .venv.


def test(options: Options) -> bool:
    from checks import suite

    return suite.run_parts(options.parts)


def lint(options: Options) -> bool:
    from checks import lint

    return lint.run_checks(options.names)


def documents(options: Options) -> bool:
    from checks import documents

    return documents.write(options.kind, only_compares=options.check)


def migrations(options: Options) -> bool:
    from checks import manage

    manage.make_migrations(options.service, options.name)
    return True


def suite(options: Options) -> bool:
    from checks import suite

    shop = choose()
    if not shop.is_running():
        raise CommandError("Souk is down: `make up` first")
    if options.suite == "faults" and shop.name == "compose":
        raise CommandError("the faults of containers are in another suite: `make containers`")
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    return suite.run_suite(options.suite, shop.suite_variables(), words)
