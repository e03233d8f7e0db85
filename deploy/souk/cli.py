"""The commands of `python3 deploy/souk`; the Makefile's targets call them.

RUNTIME=auto|compose|native says which shop is meant: see runtime.choose.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from souk.checkout import REPOSITORY, SERVICES
from souk.console import CommandError, exit_code, log_step
from souk.runtime import Runtime, choose, continue_in_venv

Options = argparse.Namespace
Command = Callable[[Options], int | None]
Argument = tuple[str, dict[str, Any]]
WELCOME = """
Souk is up: {address}
Its mails:  {mails} (unless EMAIL_URL names a mail server)

  make demo            a small catalogue, a few customers and orders
  make status          every process and its readiness
  make audit           check that the three databases and the broker agree
  make logs            what they say
  make down            stop it; the data stays

Staff sign in with STAFF_EMAIL and STAFF_PASSWORD of {secrets}"""
WORDS: Argument = ("words", {"nargs": argparse.REMAINDER})
SERVICE: Argument = ("service", {"choices": [*SERVICES, "all"]})

_parser = argparse.ArgumentParser(prog="deploy/souk", description="Runs the shop Souk.")
_commands = _parser.add_subparsers(required=True, metavar="COMMAND")


def main() -> int:
    """Run one command. Returns the exit code."""
    options = _parser.parse_args()
    return exit_code(lambda: options.command(options))


def command(*arguments: Argument, names: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Make a function a command (under several names where given); its docstring is the help."""

    def register(function: Command) -> Command:
        for name in names or [function.__name__]:
            sub = _commands.add_parser(name, help=function.__doc__)
            sub.set_defaults(command=function, name=name)
            for argument, settings in arguments:
                sub.add_argument(argument, **settings)
        return function

    return register


def plain(words: Sequence[str]) -> list[str]:
    """Return the words without the -- that keeps them from argparse."""
    return list(words[1:] if words[:1] == ["--"] else words)


def shop(*, installs: bool = False, is_up: bool = False) -> Runtime:
    """Return the shop that RUNTIME means; with `is_up` only if it runs."""
    found = choose(installs=installs)
    if is_up and not found.is_running():
        raise CommandError("Souk is down: `make up` first")
    return found


@command()
def env(_: Options) -> None:
    """for containers: write what is missing into .env, secrets first"""
    from compose import project, stack

    project.settle()
    stack.prepare_environment()
    print(".env is complete: `docker compose up --build --wait`, or `make up RUNTIME=compose`")


@command()
def bootstrap(_: Options) -> None:
    """for native: install what is missing, start nothing"""
    continue_in_venv(install=True)


@command()
def up(_: Options) -> None:
    """start what is not running, wait until everything is ready"""
    found = shop(installs=True)
    if not found.up():
        print(f"Souk is up already: {found.address()} (nothing to do)")
        return
    log_step("everything is ready")
    address, mails = found.address(), found.mail_address()
    print(WELCOME.format(address=address, mails=mails, secrets=found.secrets_file))


@command()
def down(_: Options) -> None:
    """stop everything, keep the data"""
    print("Souk is down; its data stays." if shop().down() else "Souk was not up.")


@command()
def reset(_: Options) -> None:
    """stop everything and delete the data and the secrets"""
    shop().reset()
    print("Souk is down, its data and secrets are deleted.")


@command()
def status(_: Options) -> int:
    """every process, and whether each service is ready"""
    return 0 if shop().status() else 1


@command(("process", {"nargs": "?", "default": ""}))
def logs(options: Options) -> int:
    """follow the logs, of all or of one process (orders-web)"""
    return shop().logs(options.process)


@command(("service", {"choices": SERVICES}), ("process", {}), ("count", {"type": int}))
def scale(options: Options) -> None:
    """in containers: run more of one process, or fewer"""
    shop().scale(options.service, options.process, options.count)
    print(f"{options.count} of {options.service}-{options.process} run; .env remembers it")


@command(("owner", {}), WORDS)
def run(options: Options) -> int:
    """run a command (a Python shell) with a service's variables; natively also ops, gateway"""
    return shop().run(options.owner, plain(options.words) or ["python", "manage.py", "shell"])


@command(WORDS, names=["demo", "audit", "bench"])
def run_tool(options: Options) -> int:
    """run it, from tools/, with the variables of ops"""
    return shop(is_up=True).run_tool(options.name, plain(options.words))


@command(SERVICE, WORDS, names=["deadletters", "outbox"])
def manage(options: Options) -> int:
    """what could not be handled, or published: run that command in a service, or in each"""
    found, code = shop(is_up=True), 0
    for service in SERVICES if options.service == "all" else [options.service]:
        sys.stderr.write(f"{service}:\n")
        words = [options.name, *(plain(options.words) or ["list"])]
        code = max(code, found.manage(service, words))
    return code


@command(("--dir", {}), ("--stop", {"action": "store_true"}), names=["test-env"])
def test_environment(options: Options) -> int:
    """start test servers, print the tests' variables; or --stop (tools/testservers)"""
    words = [
        *(["--dir", options.dir] if options.dir else []),
        *(["--stop"] if options.stop else []),
    ]
    command = [sys.executable, str(REPOSITORY / "tools" / "testservers"), *words]
    return subprocess.run(command, check=False).returncode
