"""What a runtime of the shop can do; deploy/native and deploy/compose each implement it."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from souk.checkout import PYTHON
from souk.console import CommandError


@dataclass(frozen=True)
class DatabaseClient:
    """How PostgreSQL's programs reach a service's server as its superuser."""

    #: words before the program's own, which ends with a slash where it is the programs' folder
    before: tuple[str, ...]
    folder: str
    options: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def command(self, program: str, *words: str) -> list[str]:
        return [*self.before, f"{self.folder}{program}", *self.options, *words]


class Runtime(Protocol):
    """One shop, as processes of this machine or in containers."""

    name: str
    secrets_file: str  # where a person finds the password of staff

    def up(self) -> bool: ...  # starts what is not running, waits for all; False: nothing to do
    def down(self) -> bool: ...  # keeps the data; False: nothing ran
    def reset(self) -> None: ...  # stops everything, deletes the data and their secrets
    def status(self) -> bool: ...  # prints it; False: something is down or wants attention
    def is_running(self) -> bool: ...
    def address(self) -> str: ...  # the gateway's URL
    def mail_address(self) -> str: ...  # that of the page of mails
    def logs(self, process: str) -> int: ...  # follows those of a process; "": of all
    def scale(self, service: str, process: str, count: int) -> None: ...

    # A command with a service's variables, at this terminal, or its manage.py; a tool of
    # tools/ with those of ops. `run` and `run_tool` may replace this process.
    def run(self, owner: str, words: Sequence[str]) -> int: ...
    def manage(self, service: str, words: Sequence[str]) -> int: ...
    def run_tool(self, tool: str, words: Sequence[str]) -> int: ...
    def suite_variables(self) -> dict[str, str]: ...  # in which a suite meets this shop

    # For backup and restore.
    def has_data(self) -> bool: ...
    def postgresql_major(self) -> int: ...  # of the server that a restore would fill
    def client(self, service: str) -> DatabaseClient: ...
    def secrets(self) -> dict[str, str]: ...  # all without which the data cannot be used
    def put_secrets(self, secrets: Mapping[str, str]) -> None: ...
    def erase(self) -> None: ...  # the data and messages
    def empty_databases(self) -> AbstractContextManager[None]: ...  # no service runs meanwhile


def choose(*, installs: bool = False) -> Runtime:
    """Return the runtime that RUNTIME asks for: auto, native or compose.

    auto is native where this checkout's native stack runs, else compose where a Docker engine
    answers, else native. `installs`: whether the command may install what native lacks.
    """
    # Imported when chosen: containers need the standard library only, native needs .venv.
    from compose import engine
    from native import supervisor
    from native.layout import current

    asked = os.environ.get("RUNTIME") or "auto"
    if asked not in ("auto", "native", "compose"):
        raise CommandError(f"RUNTIME is {asked!r}: use auto, compose or native")
    is_native = asked == "native" or supervisor.answers(current())
    if asked == "compose" or (not is_native and engine.answers()):
        from compose.runtime import ComposeRuntime

        return ComposeRuntime()
    # Where nothing was ever started, nothing is installed to say so.
    if installs or current().state.exists():
        continue_in_venv(install=installs)
    from native.runtime import NativeRuntime

    return NativeRuntime(current())


def continue_in_venv(*, install: bool) -> None:
    """Begin this command again under .venv's Python, unless it runs under that already.

    A command begins on any Python 3.11; native needs packages. `install`: whether Debian's
    packages and .venv are brought up to date first.
    """
    from native import environment, packages

    if install:
        packages.ensure_installed()
    if install or not PYTHON.exists():
        environment.ensure()
    if sys.executable != str(PYTHON):
        os.execv(PYTHON, [str(PYTHON), *sys.orig_argv[1:]])  # noqa: S606 # nosec B606: itself
